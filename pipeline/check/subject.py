"""What is checked: the settings of a job, and what AWS says of its surroundings, each thing asked once."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pipeline.check.account import RefusedError
from pipeline.check.findings import command, compact
from transforms.failures import QueueError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.check.account import Account
    from pipeline.options import Settings
    from pipeline.outside import Outside


class Subject:
    """Every check is a function of this. Whatever was refused is an answer, too: the error stands in its place."""

    def __init__(
        self,
        settings: Settings,
        outside: Outside,
        account: Account,
        *,
        bucket: str | None = None,
        sample: tuple[str, str] | None = None,
    ) -> None:
        """`bucket` is the one that should tell the queue; `sample` the bucket and key of an object to try."""
        self.settings = settings
        self.outside = outside
        self.account = account
        self.bucket = bucket
        self.sample = sample

    @cached_property
    def caller(self) -> str | RefusedError:
        """The ARN of the job's own identity."""
        try:
            return self.account.caller()
        except RefusedError as error:
            return error

    @cached_property
    def attributes(self) -> Mapping[str, str] | QueueError:
        """The queue's."""
        try:
            return self.outside.queue.get().attributes()
        except QueueError as error:
            return error

    @cached_property
    def notifications(self) -> Mapping[str, Any] | RefusedError:
        """Of the bucket."""
        try:
            return self.account.notifications(self.bucket or "")
        except RefusedError as error:
            return error

    @property
    def queue_arn(self) -> str:
        """As the queue says, or else as its URL does."""
        said = {} if isinstance(self.attributes, QueueError) else self.attributes
        account, name = urlsplit(self.settings.receive.queue_url).path.split("/")[-2:]
        return said.get("QueueArn") or f"arn:{self._partition}:sqs:{self.settings.receive.region}:{account}:{name}"

    @property
    def owner(self) -> str | None:
        """The account that the bucket is probably of: the one expected, or that of who reads it; None if unknown."""
        fetch = self.settings.fetch
        reader = fetch.source_role_arn or ("" if isinstance(self.caller, RefusedError) else self.caller)
        return fetch.expected_bucket_owner or (reader.split(":")[4] if reader else None)

    def bucket_arn(self, bucket: str) -> str:
        """Answer how policies name it."""
        return f"arn:{self._partition}:s3:::{bucket}"

    def sqs(self, action: str, *words: str) -> str:
        """Write a command about the queue."""
        receive = self.settings.receive
        return command("sqs", action, "--queue-url", receive.queue_url, "--region", receive.region, *words)

    def set_attributes(self, **attributes: object) -> str:
        """Write the command that sets attributes of the queue; mappings become the strings that SQS wants."""
        texts = {name: value if isinstance(value, str) else compact(value) for name, value in attributes.items()}
        return self.sqs("set-queue-attributes", "--attributes", compact(texts))

    def allow(self, role_arn: str | None, actions: Sequence[str], *resources: str) -> str:
        """Write the command that allows the role, or whoever the job is, these actions."""
        arn = role_arn or ("" if isinstance(self.caller, RefusedError) else self.caller)
        kind, *names = arn.rpartition(":")[2].split("/")
        who = ("put-user-policy", "--user-name") if kind == "user" else ("put-role-policy", "--role-name")
        # The session's name stands behind that of an assumed role.
        name = (names[0] if kind == "assumed-role" else names[-1]) if names else "ROLE-OF-THE-JOB"
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
        document = {"Version": "2012-10-17", "Statement": [statement]}
        # A name of its own, or the command would replace what another one allowed.
        what = f"{actions[0].partition(':')[2]}-{re.split('[:/]', resources[0])[-1]}"
        policy = ("--policy-name", f"sqs-pipeline-{what}"[:128], "--policy-document", compact(document))
        return command("iam", who[0], who[1], name, *policy)

    @property
    def _partition(self) -> str:
        region = self.settings.receive.region
        return "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"
