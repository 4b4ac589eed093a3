"""What an object store answered instead of what it was asked for, whichever client reports it.

obstore's errors are text. What it says of an answer is read from the lines of its debug output, where the key and the
body are quoted on one line: a key that looks like an error message is not taken for one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus

from botocore.exceptions import ClientError
from obstore.exceptions import BaseError

from transforms.sanitized import without_secrets

OBSTORE_ERRORS = (BaseError, FileNotFoundError, ValueError)
"""What obstore raises: its own, the built-in one for 404, and the built-in one for a path that it refuses."""

_WRONG_REGION = frozenset({"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"})
_STATUS = re.compile(r"^ *status: (\d{3}),$", re.MULTILINE)
_BODY = re.compile(r'^ *body: Some\(\n *"(.*)",$', re.MULTILINE)
_REDIRECT = re.compile(r"^ *inner: BareRedirect,$", re.MULTILINE)
_CODE = re.compile(r"<Code>([\w.]{1,100})</Code>")
_MESSAGE = re.compile(r"<Message>([^<]{1,300})")
_SIZE = re.compile(r"<ActualObjectSize>(\d{1,20})<")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service answered instead of what it was asked for."""

    status: int
    code: str = ""
    """For example `NoSuchKey`; empty if it did not say."""
    message: str = ""
    object_size: int | None = None
    """Bytes of the whole object, where the answer is that it has not so many."""

    def __str__(self) -> str:
        """Show what an operator needs; never more of the answer, which may repeat what was signed."""
        said = f": {without_secrets(self.message)}" if self.message else ""
        return f"{self.status} {self.code or 'without a reason'}{said}"


def answer_of(error: Exception) -> Answer | None:
    """Answer what the service said, if it said anything."""
    if isinstance(error, ClientError):
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        said = error.response.get("Error", {})
        code = said.get("Code", "")
        return Answer(
            status, "" if code.isdigit() else code, said.get("Message", ""), _number(said.get("ActualObjectSize"))
        )
    text = str(error) if isinstance(error, OBSTORE_ERRORS) else ""
    if _REDIRECT.search(text):
        return Answer(HTTPStatus.MOVED_PERMANENTLY, "PermanentRedirect")
    status_line, body_line = _STATUS.search(text), _BODY.search(text)
    if status_line is None:
        return None
    body = body_line[1] if body_line else ""
    code_tag, message_tag, size_tag = _CODE.search(body), _MESSAGE.search(body), _SIZE.search(body)
    message = message_tag[1].replace("\\n", " ").replace('\\"', '"') if message_tag else ""
    return Answer(int(status_line[1]), code_tag[1] if code_tag else "", message, _number(size_tag and size_tag[1]))


def is_wrong_region(error: Exception) -> bool:
    """Whether S3 says that the bucket is in another region, or may mean to: a 400 to a HEAD says nothing more."""
    answer = answer_of(error)
    if answer is None:
        return False
    return answer.code in _WRONG_REGION or (answer.status == HTTPStatus.BAD_REQUEST and not answer.code)


def _number(digits: str | None) -> int | None:
    return int(digits) if digits and digits.isdecimal() else None
