"""A session that acts as another role than the process's own, for as long as the job runs.

STS gives out credentials for an hour; botocore asks for new ones before these end, in whichever thread signs next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import botocore.session
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
from botocore.exceptions import NoCredentialsError

if TYPE_CHECKING:
    from typing import Any

    from botocore.config import Config

SESSION_NAME = "sqs-pipeline"
"""How CloudTrail, and the owner of the role, see who it is."""


def session_as(role_arn: str, base: boto3.Session, config: Config) -> boto3.Session:
    """Answer a session in the region of `base` that assumes `role_arn` with its credentials.

    Asks nobody yet. STS is asked when something is to be signed, and then raises botocore's own errors:
    `ClientError` of `AssumeRole` where it refuses.
    """
    region = base.region_name
    asks = botocore.session.Session()  # its own: a session may not make clients in two threads at once
    asks.set_config_variable("region", region)
    asks.set_default_client_config(config)

    def assume() -> dict[str, Any]:
        own = base.get_credentials()
        if own is None:
            raise NoCredentialsError
        fetcher = AssumeRoleCredentialFetcher(
            asks.create_client, own, role_arn, extra_args={"RoleSessionName": SESSION_NAME}
        )
        credentials: dict[str, Any] = fetcher.fetch_credentials()
        return credentials

    acts = botocore.session.Session()
    acts._credentials = DeferredRefreshableCredentials(assume, "assume-role")  # noqa: SLF001 - botocore has no other way
    return boto3.Session(botocore_session=acts, region_name=region)
