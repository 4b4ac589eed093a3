"""A stand-in for boto3's client of S3 that can list, page by page, as S3 does; an integration test compares it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Iterable

CHANGED_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def an_answer(status: int, code: str) -> ClientError:
    """Build what boto3 raises when S3 answers this."""
    response = {"Error": {"Code": code, "Message": "Said by S3."}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "ListObjectsV2")


class FakeListing:
    """Objects of one bucket; `per_page` of them are in a page, or folders."""

    def __init__(self, keys: Iterable[str], *, per_page: int = 1000) -> None:
        self.keys = sorted(keys)
        self.questions: list[dict[str, Any]] = []
        self.error: Exception | None = None
        self._per_page = per_page

    def list_objects_v2(self, **question: Any) -> dict[str, Any]:  # noqa: ANN401 - boto3's parameters
        """Answer one page."""
        self.questions.append(question)
        if self.error:
            raise self.error
        prefix, delimiter = question["Prefix"], question.get("Delimiter")
        after = question.get("ContinuationToken", question.get("StartAfter", ""))
        found = [key for key in self.keys if key.startswith(prefix) and key > after]
        entries = {_entry(key, prefix, delimiter): key for key in found}
        page = list(entries)[: question.get("MaxKeys", self._per_page)]
        is_truncated = len(page) < len(entries)
        answer: dict[str, Any] = {
            "Contents": [_object(name) for name, is_folder in page if not is_folder],
            "CommonPrefixes": [{"Prefix": name} for name, is_folder in page if is_folder],
            "KeyCount": len(page),
            "IsTruncated": is_truncated,
            "ResponseMetadata": {"HTTPHeaders": {"x-amz-bucket-region": "eu-west-1"}},
        }
        return answer | ({"NextContinuationToken": entries[page[-1]]} if is_truncated else {})


def _entry(key: str, prefix: str, delimiter: str | None) -> tuple[str, bool]:
    """Answer the folder in which a key is, or the key; and whether it is a folder."""
    folder, is_inside, _ = key[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
    return (f"{prefix}{folder}{is_inside}", True) if is_inside else (key, False)


def _object(key: str) -> dict[str, Any]:
    return {"Key": key, "ETag": f'"etag of {key}"', "Size": len(key), "LastModified": CHANGED_AT}
