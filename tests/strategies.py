"""What hypothesis draws from: legal S3 names, and JSON and notifications of every kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tests.builders import a_notification, a_test_event, an_eventbridge_event, an_sns_envelope

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import SearchStrategy

S3_MAX_KEY_BYTES = 1024

_ODD_PIECES = (
    *("+", "%", "%2B", "%zz", "%00", " ", "//", "/", ".", "..", "/../", "./", "\n", "\r", "\t", "\0", "\x7f", "\\"),
    *(
        "?",
        "#",
        "&",
        "=",
        "*",
        "[a]",
        '"',
        "'",
        "~",
        ":",
        "a",
        "ü",
        "日本",
        "🦆",
        "\u202e",
        "\ufeff",
        "\u2028",
        "e\u0301",
    ),
)


def keys() -> SearchStrategy[str]:
    """Every legal S3 key: 1 to 1024 bytes of UTF-8; ordinary, odd, and as long as it may be."""
    characters = st.characters(exclude_categories=["Cs"])
    ordinary = st.text(characters, min_size=1, max_size=100)
    odd = st.lists(st.sampled_from(_ODD_PIECES), min_size=1, max_size=12).map("".join)
    long = st.builds(_as_long_as_may_be, ordinary, st.integers(S3_MAX_KEY_BYTES - 3, S3_MAX_KEY_BYTES))
    return ordinary | odd | long


def _as_long_as_may_be(start: str, length: int) -> str:
    return start + "k" * (length - len(start.encode()))


def buckets() -> SearchStrategy[str]:
    """Legal bucket names: 3 to 63 lower-case letters, digits, dots and hyphens."""
    return st.from_regex(r"[a-z0-9]([a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]", fullmatch=True)


def json_values() -> SearchStrategy[Any]:
    """Whatever `json.dumps` takes, NaN, lone surrogates and huge numbers included."""
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=[]))
    return st.recursive(
        scalars | st.sampled_from([10**4000, -(10**25), "", "\ud800", "%ff", "2.", "2.1", "null", "..", '"']),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | json_names(), inner, max_size=4)
        ),
        max_leaves=12,
    )


def json_names() -> SearchStrategy[str]:
    """Names that mean something in one of the envelopes."""
    outer = ["Records", "Event", "Message", "TopicArn", "Type", "detail", "detail-type", "source"]
    return st.sampled_from([*outer, "s3", "bucket", "object", "name", "key", "eventName", "eventVersion"])


def notifiers() -> SearchStrategy[Callable[..., str]]:
    """One of the builders that make a body of one key: raw S3 or EventBridge, in none to four SNS envelopes."""
    return st.builds(_wrapped, st.sampled_from([a_notification, an_eventbridge_event]), st.integers(0, 4))


def notifications() -> SearchStrategy[str]:
    """Bodies of S3, whole and well-formed: some of several records, some in envelopes, some test events."""
    several = st.lists(keys(), min_size=1, max_size=4).map(lambda drawn: a_notification(*drawn))
    one = st.builds(lambda notify, key, bucket: notify(key, bucket=bucket), notifiers(), keys(), buckets())
    return (
        several
        | several.map(an_sns_envelope)
        | one
        | st.just(a_test_event())
        | st.just(an_sns_envelope(a_test_event()))
    )


def _wrapped(notify: Callable[..., str], envelopes: int) -> Callable[..., str]:
    def notify_wrapped(key: str, *, bucket: str) -> str:
        body = notify(key, bucket=bucket)
        for _ in range(envelopes):
            body = an_sns_envelope(body)
        return body

    return notify_wrapped
