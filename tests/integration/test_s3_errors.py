"""What S3 can answer, or fail to, and what each means for a record; through both clients, from real sockets."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING

import pytest

from tests.builders import an_object_ref
from tests.integration.conftest import REGION
from tests.raw_server import STALL, Dripping, HeldOpen, RawServer, an_answer, an_error
from transforms import aws as transforms_aws
from transforms.failures import (
    ArchivedError,
    BrokenTransferError,
    BucketGoneError,
    ForbiddenError,
    ObjectGoneError,
    RecordError,
    ThrottledError,
    TimedOutError,
    UnavailableError,
)
from transforms.s3_objects import S3Objects

if TYPE_CHECKING:
    from collections.abc import Callable

    from transforms.records import ObjectRef

by_either_client = pytest.mark.parametrize("key", ["logs/a.gz", "logs//a.gz"])
"""The second goes by boto3."""


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up early."""
    monkeypatch.setattr(transforms_aws, "READ_TIMEOUT_S", 1.0)


def a_ref(key: str) -> ObjectRef:
    """Build a reference to what the raw server serves."""
    return an_object_ref(bucket="bucket", key=key, region=REGION)


@by_either_client
@pytest.mark.parametrize(
    ("answer", "expected", "detail"),
    [
        (an_error("404 Not Found", "NoSuchKey"), ObjectGoneError, "404 NoSuchKey: Said by the server."),
        (an_error("404 Not Found", "NoSuchVersion"), ObjectGoneError, "404 NoSuchVersion"),
        (an_error("404 Not Found", "NoSuchBucket"), BucketGoneError, "404 NoSuchBucket"),
        (an_error("405 Method Not Allowed", "MethodNotAllowed"), ObjectGoneError, "405 MethodNotAllowed"),
        (an_error("400 Bad Request", "InvalidArgument", "Invalid version id specified"), ObjectGoneError, "version id"),
        (an_error("412 Precondition Failed", "PreconditionFailed"), ObjectGoneError, "412 PreconditionFailed"),
        (an_error("403 Forbidden", "AccessDenied"), ForbiddenError, "403 AccessDenied"),
        (an_error("403 Forbidden", "InvalidObjectState"), ArchivedError, "403 InvalidObjectState"),
        (an_error("403 Forbidden", "RequestTimeTooSkewed"), ForbiddenError, "403 RequestTimeTooSkewed"),
        (an_error("403 Forbidden", "InvalidAccessKeyId"), ForbiddenError, "403 InvalidAccessKeyId"),
        (an_error("400 Bad Request", "ExpiredToken"), ForbiddenError, "400 ExpiredToken"),
        (an_error("400 Bad Request", "KMS.DisabledException"), ForbiddenError, "400 KMS.DisabledException"),
        (an_error("503 Slow Down", "SlowDown"), ThrottledError, "503 SlowDown"),
        (an_answer("429 Too Many Requests"), ThrottledError, "429"),
        (an_error("503 Service Unavailable", "ServiceUnavailable"), UnavailableError, "503 ServiceUnavailable"),
        (an_error("500 Internal Server Error", "InternalError"), UnavailableError, "500 InternalError"),
        (an_answer("502 Bad Gateway", b"<html>a proxy</html>"), UnavailableError, "502"),
        (an_error("400 Bad Request", "RequestTimeout"), TimedOutError, "400 RequestTimeout"),
        (b"nobody speaks HTTP here\r\n\r\n", UnavailableError, ""),
        (b"", UnavailableError, ""),
    ],
)
def test_a_refusal_means_the_same_by_either_client(
    serve_s3: Callable[[RawServer], None], key: str, answer: bytes, expected: type[RecordError], detail: str
) -> None:
    """And its one line names the object and the reason."""
    with RawServer([answer]) as server:
        serve_s3(server)

        with pytest.raises(RecordError, match=re.escape(f"s3://bucket/{key}: ")) as caught:
            S3Objects(REGION).open(a_ref(key))

    assert expected is type(caught.value)
    assert detail in caught.value.detail
    assert "\n" not in caught.value.detail


@by_either_client
@pytest.mark.parametrize("status", ["404 Not Found", "405 Method Not Allowed"])
def test_a_404_that_is_not_s3_s_sets_nothing_aside(
    serve_s3: Callable[[RawServer], None], key: str, status: str
) -> None:
    """A proxy that knows no way, or a wrong endpoint, says it of every object."""
    with RawServer([an_answer(status, b"<html>no such page</html>")]) as server:
        serve_s3(server)

        with pytest.raises(UnavailableError):
            S3Objects(REGION).open(a_ref(key))


@by_either_client
def test_no_error_repeats_what_was_signed(
    serve_s3: Callable[[RawServer], None], aws_environment: pytest.MonkeyPatch, key: str
) -> None:
    """S3 sends it back when the signature is wrong; dead letters and logs are read by many."""
    aws_environment.setenv("AWS_ACCESS_KEY_ID", "AKIASECRETID")
    aws_environment.setenv("AWS_SECRET_ACCESS_KEY", "the-secret-key")
    aws_environment.setenv("AWS_SESSION_TOKEN", "the-session-token")
    extra = (
        "<AWSAccessKeyId>AKIASECRETID</AWSAccessKeyId><StringToSign>AWS4-HMAC-SHA256</StringToSign>"
        "<SignatureProvided>abc123</SignatureProvided><Token-0>the-session-token</Token-0>"
    )
    with RawServer([an_error("403 Forbidden", "SignatureDoesNotMatch", "It does not match.", extra)]) as server:
        serve_s3(server)

        with pytest.raises(ForbiddenError) as caught:
            S3Objects(REGION).open(a_ref(key))

    assert f"s3://bucket/{key}: 403 SignatureDoesNotMatch: It does not match." == caught.value.detail
    assert "AKIASECRETID" in server.requests[0]


def test_a_key_that_looks_like_an_error_is_not_taken_for_one(serve_s3: Callable[[RawServer], None]) -> None:
    """Whoever writes keys must not be able to choose a record's fate."""
    key = 'status: 503, <Code>SlowDown</Code> - Server returned non-2xx status code: 503 kind: Timeout, "'
    escaped = "&lt;Code&gt;SlowDown&lt;/Code&gt; status: 503,"
    with RawServer([an_error("404 Not Found", "NoSuchKey", extra=f"<Key>{escaped}</Key>")]) as server:
        serve_s3(server)

        with pytest.raises(ObjectGoneError, match="404 NoSuchKey: Said by the server"):
            S3Objects(REGION).open(a_ref(key))


@by_either_client
def test_fewer_bytes_than_announced_are_a_broken_transfer(serve_s3: Callable[[RawServer], None], key: str) -> None:
    """The connection closed before the end, for the client's own attempt to go on too."""
    cut = an_answer(body=b"x" * 5_000, announced=100_000)
    rest = an_answer("206 Partial Content", b"x", announced=95_000, Content_Range="bytes 5000-99999/100000")
    with RawServer([cut, rest]) as server:
        serve_s3(server)
        opened = S3Objects(REGION).open(a_ref(key))

        with pytest.raises(BrokenTransferError, match=re.escape(f"s3://bucket/{key}: ")):
            list(opened.chunks())

    assert 100_000 == opened.info.size


@by_either_client
def test_a_chunked_body_that_is_longer_than_announced_is_not_read_to_its_end(
    serve_s3: Callable[[RawServer], None], key: str
) -> None:
    """It need not have one; by HTTP's rules the length beside it says nothing."""
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    with RawServer([HeldOpen(an_answer(announced=40, Transfer_Encoding="chunked") + chunk * 16)]) as server:
        serve_s3(server)
        opened = S3Objects(REGION).open(a_ref(key))

        with pytest.raises(BrokenTransferError, match="bytes, 40 were announced"):
            list(opened.chunks())

    assert 40 == opened.info.size


@by_either_client
def test_an_answer_that_does_not_say_how_long_it_is_is_not_read(
    serve_s3: Callable[[RawServer], None], key: str
) -> None:
    """S3 always says."""
    answer = an_answer(body=b"4\r\nbody\r\n0\r\n\r\n", Transfer_Encoding="chunked")
    with RawServer([answer.replace(b"Content-Length: 14\r\n", b"")]) as server:
        serve_s3(server)

        with pytest.raises(UnavailableError, match=re.escape(f"s3://bucket/{key}: ")):
            S3Objects(REGION).open(a_ref(key))


@by_either_client
def test_a_body_that_drips_is_given_up_in_time(
    serve_s3: Callable[[RawServer], None], monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """However often something comes."""
    monkeypatch.setattr(transforms_aws, "ANSWER_TIMEOUT_S", 1.0)
    with RawServer([Dripping(an_answer(body=b"", announced=1_000_000)), STALL]) as server:
        serve_s3(server)
        opened = S3Objects(REGION).open(a_ref(key))

        with pytest.raises(TimedOutError, match=re.escape(f"s3://bucket/{key}: ")):
            list(opened.chunks())


def test_a_body_never_goes_on_with_another_object_s(serve_s3: Callable[[RawServer], None]) -> None:
    """After a cut obstore itself goes on; it compares ETags, on which we rely."""
    cut = an_answer(body=b"x" * 5_000, announced=10_000)
    other = an_answer("206 Partial Content", b"y" * 5_000, etag='"etag-2"', Content_Range="bytes 5000-9999/10000")
    with RawServer([cut, other]) as server:
        serve_s3(server)

        with pytest.raises(BrokenTransferError):
            b"".join(S3Objects(REGION).open(a_ref("logs/a.gz")).chunks())

    assert 2 == len(server.requests)


@by_either_client
@pytest.mark.usefixtures("impatient")
def test_a_body_that_stalls_times_out(serve_s3: Callable[[RawServer], None], key: str) -> None:
    """Each piece may take as long as the read timeout."""
    with RawServer([HeldOpen(an_answer(body=b"half", announced=8)), STALL]) as server:
        serve_s3(server)
        opened = S3Objects(REGION).open(a_ref(key))

        with pytest.raises(TimedOutError, match=re.escape(f"s3://bucket/{key}: ")):
            b"".join(opened.chunks())


@by_either_client
@pytest.mark.usefixtures("impatient")
def test_an_answer_that_does_not_come_times_out(serve_s3: Callable[[RawServer], None], key: str) -> None:
    """After a few attempts."""
    with RawServer([STALL]) as server:
        serve_s3(server)

        with pytest.raises(TimedOutError, match=re.escape(f"s3://bucket/{key}: ")):
            S3Objects(REGION).open(a_ref(key))


@by_either_client
def test_nobody_there_is_unavailable(aws_environment: pytest.MonkeyPatch, key: str) -> None:
    """The port is free for certain: it is bound and nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        aws_environment.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{bound.getsockname()[1]}")

        with pytest.raises(UnavailableError, match=re.escape(f"s3://bucket/{key}: ")):
            S3Objects(REGION).open(a_ref(key))


@by_either_client
def test_a_name_that_does_not_resolve_is_unavailable(aws_environment: pytest.MonkeyPatch, key: str) -> None:
    """A network that is down looks like that."""
    aws_environment.setenv("AWS_ENDPOINT_URL_S3", "http://no-such-host.invalid")

    with pytest.raises(UnavailableError, match=re.escape(f"s3://bucket/{key}: ")):
        S3Objects(REGION).open(a_ref(key))


@by_either_client
def test_without_credentials_everything_is_forbidden(aws_environment: pytest.MonkeyPatch, key: str) -> None:
    """They may come back: the outage guard waits for them."""
    aws_environment.delenv("AWS_ACCESS_KEY_ID")
    aws_environment.delenv("AWS_SECRET_ACCESS_KEY")

    with pytest.raises(ForbiddenError, match="credentials"):
        S3Objects(REGION).open(a_ref(key))


def test_an_attempt_after_a_hiccup_succeeds(serve_s3: Callable[[RawServer], None]) -> None:
    """Single ones are not worth a trip through the queue."""
    with RawServer([an_error("500 Internal Server Error", "InternalError"), an_answer(body=b"body")]) as server:
        serve_s3(server)

        assert b"body" == b"".join(S3Objects(REGION).open(a_ref("logs/a.gz")).chunks())


@pytest.mark.parametrize(
    "refusal",
    [
        an_error("301 Moved Permanently", "PermanentRedirect"),
        an_error("400 Bad Request", "AuthorizationHeaderMalformed", extra="<Region>eu-west-3</Region>"),
    ],
    ids=["301", "400"],
)
def test_a_bucket_in_another_region_is_read_there(serve_s3: Callable[[RawServer], None], refusal: bytes) -> None:
    """Once S3 has said so, it is asked for there at once."""

    def answer(request: str) -> bytes:
        if request.startswith("HEAD"):
            return an_answer("301 Moved Permanently", etag=None, x_amz_bucket_region="eu-west-3")
        if "/eu-west-3/s3/" in request:
            return an_answer(body=b"body")
        return refusal

    with RawServer(answer) as server:
        serve_s3(server)
        objects = S3Objects(REGION)

        assert [b"body", b"body"] == [b"".join(objects.open(a_ref("logs/a.gz")).chunks()) for _ in range(2)]

    asked = [("HEAD" if request.startswith("HEAD") else "GET", "/eu-west-3/" in request) for request in server.requests]
    assert ("GET", False) == asked[0]
    assert [("GET", True), ("GET", True)] == asked[-2:]
    assert 1 == asked.count(("GET", False))


def test_a_bucket_that_is_in_no_region_we_are_told_of_is_forbidden(serve_s3: Callable[[RawServer], None]) -> None:
    """Somebody has to look at it; the line says what S3 said."""
    with RawServer([an_error("301 Moved Permanently", "PermanentRedirect")]) as server:
        serve_s3(server)

        with pytest.raises(ForbiddenError, match="301 PermanentRedirect"):
            S3Objects(REGION).open(a_ref("logs/a.gz"))


def test_a_key_with_a_newline_is_asked_for_as_it_is(serve_s3: Callable[[RawServer], None]) -> None:
    """The stand-in for S3 cannot keep one, S3 can."""
    with RawServer([an_answer(body=b"body")]) as server:
        serve_s3(server)

        assert b"body" == b"".join(S3Objects(REGION).open(a_ref("new\nline/../a")).chunks())

    assert "GET /bucket/new%0Aline/../a HTTP/1.1" == server.requests[0].partition("\r\n")[0]


@pytest.mark.parametrize("quoted", ["\x1b[31m\x00", "&#x1b;[31m&#0;"])
def test_a_key_of_control_characters_that_is_not_there_is_gone(
    serve_s3: Callable[[RawServer], None], quoted: str
) -> None:
    """S3's answer quotes it, and is no XML then; taken for an outage, three such messages would stop the job."""
    with RawServer([an_error("404 Not Found", "NoSuchKey", f"No such key: {quoted}")]) as server:
        serve_s3(server)

        with pytest.raises(ObjectGoneError, match="404 NoSuchKey"):
            S3Objects(REGION).open(a_ref("\x1b[31m\x00"))
