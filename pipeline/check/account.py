"""What `check` asks of AWS and the job itself never does: who it is, what time it is, what a bucket tells whom."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from transforms import aws
from transforms.buckets import find_region
from transforms.failures import SqsPipelineError
from transforms.records import one_line
from transforms.sanitized import told, without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.options import Settings

NO_CREDENTIALS, DENIED = "NoCredentials", "AccessDenied"


class RefusedError(SqsPipelineError):
    """AWS refused or did not answer; the argument is a one-line detail."""

    def __init__(self, detail: str, code: str = "") -> None:
        """Keep the AWS error code beside it; empty if there was no answer."""
        super().__init__(detail)
        self.detail = detail
        self.code = code


class Stored(NamedTuple):
    """An object of a list."""

    key: str
    size: int
    """Bytes as stored."""
    modified: datetime


class Account(Protocol):
    """What is asked. Every call raises `RefusedError`, and `UserError` for a configuration that cannot be used."""

    def caller(self, role_arn: str | None = None) -> str:
        """Answer the ARN of who asks, as `role_arn` if that is assumed."""

    def clock_error_s(self) -> float:
        """Answer by how many seconds the clock here is ahead of AWS's; behind is negative."""

    def region_of(self, bucket: str) -> str:
        """Answer where a bucket is."""

    def notifications(self, bucket: str) -> dict[str, Any]:
        """Answer the notification configuration of a bucket, as S3 has it."""

    def objects(self, bucket: str) -> list[Stored]:
        """Answer the first page of a bucket's list, a thousand at most."""


class AwsAccount:
    """Implements `Account` over boto3, with the roles of the settings."""

    def __init__(self, settings: Settings) -> None:
        """Ask nobody yet."""
        self._region = settings.receive.region
        self._source_role = settings.fetch.source_role_arn
        owner = settings.fetch.expected_bucket_owner
        self._owner = {"ExpectedBucketOwner": owner} if owner else {}

    def caller(self, role_arn: str | None = None) -> str:
        """Ask STS, as `Account` says."""
        with _refusing():
            arn: str = aws.client("sts", self._region, role_arn=role_arn).get_caller_identity()["Arn"]
        return arn

    def clock_error_s(self) -> float:
        """Read the date of an answer of SQS; to a request without a signature, which a wrong clock would spoil."""
        client = aws.client("sqs", self._region, signed=False)
        request = AWSRequest("GET", client.meta.endpoint_url)
        with _refusing():
            # The client's own connections: its proxies and certificates.
            answer = client._endpoint.http_session.send(request.prepare())  # noqa: SLF001 - see above
        try:
            said = parsedate_to_datetime(answer.headers.get("Date", ""))
        except ValueError:
            raise RefusedError(f"the answer of {client.meta.endpoint_url} has no date") from None
        return (datetime.now(UTC) - said.replace(tzinfo=said.tzinfo or UTC)).total_seconds()

    def region_of(self, bucket: str) -> str:
        """Ask S3, as `Account` says; the job's own region if it does not say."""
        return find_region(bucket, self._region, role_arn=self._source_role)

    def notifications(self, bucket: str) -> dict[str, Any]:
        """Ask S3, as `Account` says."""
        with _refusing():
            answer = self._s3(bucket).get_bucket_notification_configuration(Bucket=bucket, **self._owner)
        return {name: value for name, value in answer.items() if name != "ResponseMetadata"}

    def objects(self, bucket: str) -> list[Stored]:
        """Ask S3, as `Account` says."""
        with _refusing():
            answer = self._s3(bucket).list_objects_v2(Bucket=bucket, **self._owner)
        return [Stored(each["Key"], each["Size"], each["LastModified"]) for each in answer.get("Contents", ())]

    def _s3(self, bucket: str) -> Any:  # noqa: ANN401 - aws.py
        return aws.client("s3", self.region_of(bucket), role_arn=self._source_role)


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        said = error.response.get("Error", {})
        code, message = str(said.get("Code", "")), str(said.get("Message", ""))
        detail = f"{code or 'an error'} from {error.operation_name}: {without_secrets(message)}"
        raise RefusedError(one_line(detail), code) from None
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise RefusedError(one_line(str(error)), NO_CREDENTIALS) from None
    except BotoCoreError as error:
        raise RefusedError(one_line(f"{type(error).__name__}: {told(error)}")) from None
