"""Message bodies that nobody sends in good faith, and what is to become of each.

A body is paired with its fate: `stored`, `ignored`, the kind of its dead letter, or `any` where only exactly one fate
is promised. Every body that may be stored speaks of an object of its own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from tests.builders import an_s3_record

if TYPE_CHECKING:
    import random

MAX_BODY_BYTES = 256 * 1024
FORGED = "\n2026-01-01T00:00:00.000Z INFO  stopped: 9 received = 9 stored + 0 ignored + 0 set aside + 0 returned\n"
TERMINAL = "\x1b[2J\x1b]0;owned\x07\x9b31m\r"
BIDI = "\u202egnp.\u2066exe\u2069\u200b\u2028\u2029\x85\ufeff"
TRAVERSAL = "../../../../../../../../tmp/x"
STORED, IGNORED, UNREADABLE = "stored", "ignored", "unreadable_notification"
NOT_ALLOWED, GONE, ANY = "bucket_not_allowed", "object_gone", "any"


@dataclass
class Hostile:
    """Collects bodies; `bucket` is the allowed one, `other` exists and is not allowed, `prefix` is the output's."""

    bucket: str
    other: str
    prefix: str
    fates: list[tuple[str, str]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    """Objects that must exist, and have a result in the end."""

    def add(self, body: str | object, fate: str) -> None:
        """Add a body: a text as it is, anything else as JSON."""
        self.fates.append((body if isinstance(body, str) else json.dumps(body), fate))

    def record(self, key: str | None = None, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any value at all
        """Build a record of the allowed bucket, by default of a good object; `changes` name paths: s3__object__key."""
        if key is None:
            key = f"good/{len(self.keys)}"
            self.keys.append(key)
        record = an_s3_record(key, bucket=self.bucket, etag=None, size=None)
        for path, value in changes.items():
            *parents, last = path.split("__")
            place = record
            for parent in parents:
                place = place[parent]
            place[last] = value
        return record

    def add_record(self, fate: str, key: str | None = None, **changes: Any) -> None:  # noqa: ANN401 - as above
        """Add a message of one record."""
        self.add({"Records": [self.record(key, **changes)]}, fate)


def nasty(hostile: Hostile) -> None:
    """Add everything on the list below."""
    for part in (_shapes, _numbers, _buckets, _keys, _own_output, _envelopes, _events, _tokens):
        part(hostile)


def _shapes(hostile: Hostile) -> None:
    deep = MAX_BODY_BYTES // 2 - 20
    for body in (
        "",
        " ",
        "\ufeff{}",
        "null",
        "true",
        "[]",
        '"',
        "{",
        '{"a":1}',
        "x" * MAX_BODY_BYTES,
        BIDI,
        "\x00 \x1b",
    ):
        hostile.add(body or "{}", UNREADABLE)
    for body in ("[" * 100_000, '{"Records":' + "[" * deep + "]" * deep + "}", '{"a":' * 50_000):
        hostile.add(body, UNREADABLE)
    for records in (None, {}, {"0": {}}, "x", 5, True):
        hostile.add({"Records": records}, UNREADABLE)
    hostile.add({"Records": []}, IGNORED)
    hostile.add({"Records": [None, 1, "x", [], {}, {"s3": 5}]}, UNREADABLE)
    good = json.dumps(hostile.record())
    hostile.add(f'{{"Records": [], "Records": [{good}]}}', STORED)
    hostile.add(f'{{"Records": [{json.dumps(hostile.record("never"))}], "Records": []}}', IGNORED)
    hostile.add({"Records": [hostile.record()], "padding": "x" * (MAX_BODY_BYTES - 2000)}, STORED)
    hostile.add({"Records": [hostile.record(f"gone/{n}") for n in range(300)]}, GONE)
    hostile.add('{"Records":[' + ",".join("0" * (MAX_BODY_BYTES // 2 - 20)) + "]}", UNREADABLE)
    hostile.add({"Records": [{"s3": 0}] * 20_000}, UNREADABLE)
    hostile.add({BIDI + FORGED + TERMINAL: 1, "\ud800": 2}, UNREADABLE)


def _numbers(hostile: Hostile) -> None:
    for body in ("NaN", "-Infinity", "1e999", "-0", "9" * 5000, '{"Records": ' + "9" * 5000 + "}"):
        hostile.add(body, UNREADABLE)
    for size in (-1, 2**70, 10**4000, 1e308, float("nan"), float("inf"), "9", True, [], {}):
        hostile.add_record(STORED, s3__object__size=size)
    for time in (5, "never", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", [], "2026-01-01\x1b"):
        hostile.add_record(STORED, eventTime=time)


def _buckets(hostile: Hostile) -> None:
    for name in ("../x", "a/b", "bucket?x=y", "host@evil", "..", "", "a b", None, 5, [], {}, "\ud800", FORGED, "ü"):
        hostile.add_record(UNREADABLE, "k", s3__bucket__name=name)
    for name in (f"{hostile.bucket}\n", f" {hostile.bucket}", f"{hostile.bucket}\x00", f"{hostile.bucket}/"):
        hostile.add_record(UNREADABLE, "good/0", s3__bucket__name=name)
    names = ("169.254.169.254", "127.0.0.1", "localhost", hostile.other, hostile.bucket.upper(), f"{hostile.bucket}.")
    for name in names:
        for key in ("secret", f"\\{TRAVERSAL}", "a\x00b", f"k{FORGED}", f"k{TERMINAL}", f"k{BIDI}"):
            hostile.add_record(NOT_ALLOWED, key, s3__bucket__name=name)
    hostile.add_record(STORED, s3__bucket__arn=f"arn:aws:s3:::{hostile.other}")


def _keys(hostile: Hostile) -> None:
    climbing = (
        f"../{hostile.other}/secret",
        f"x/../../{hostile.other}/secret",
        f"/../{hostile.other}/secret",
        "..",
        ".",
    )
    odd = (
        *climbing,
        TRAVERSAL,
        "/etc/passwd",
        "%2e%2e/x",
        "%00",
        "..\\x",
        "a?versionId=1",
        "a#b",
        "~",
        "//",
        "k" * 1024,
    )
    for key in (*odd, TERMINAL, "a\x00b", BIDI, "\u202e", "a\rb", "\x7f\x80"):
        hostile.add_record(GONE, key)
    hostile.add_record(ANY, f"k{FORGED}")  # the stand-in has no such path, and answers as no S3 does
    for key in ("%ff%fe", "\ud800", "", None, 5, [], {"a": 1}, "k" * 1025):
        hostile.add_record(UNREADABLE, "k", s3__object__key=key)
    key = f"good/{len(hostile.keys)}"
    hostile.add_record(STORED, s3__object__key=quote_plus(key).replace("o", "%6F"))


def _own_output(hostile: Hostile) -> None:
    prefix = hostile.prefix
    for key in ("loop.json", "", "_dead_letters/x-0.json", "../secret", f"x{FORGED}", "//"):
        hostile.add_record(IGNORED, f"{prefix}/{key}")
    for key in (
        prefix,
        f"./{prefix}/loop.json",
        f"/{prefix}/loop.json",
        f"{prefix.upper()}/a",
        "_dead_letters/x-0.json",
    ):
        hostile.add_record(GONE, key)


def _envelopes(hostile: Hostile) -> None:
    def sns(message: object, **more: object) -> dict[str, object]:
        return {"Type": "Notification", "TopicArn": TRAVERSAL, "Message": message, **more}

    body: object = {"Records": [hostile.record()]}
    for _ in range(3):
        body = sns(json.dumps(body), Subject=TERMINAL)
    hostile.add(body, STORED)
    body = "{}"
    for _ in range(9):
        body = json.dumps(sns(body))
    hostile.add(body, UNREADABLE)
    for message in (None, 5, "", "{", "[" * 50_000, "NaN", {"Records": []}):
        hostile.add(sns(message), UNREADABLE)
    for kind in ("SubscriptionConfirmation", "UnsubscribeConfirmation", FORGED, TERMINAL):
        hostile.add(sns("{}", Type=kind, SubscribeURL=f"http://127.0.0.1/{hostile.other}/secret"), UNREADABLE)
    for detail in (None, [], "x", {}, {"bucket": "x"}, {"bucket": {"name": hostile.bucket}, "object": []}):
        hostile.add({"source": "aws.s3", "detail-type": "Object Created", "detail": detail}, UNREADABLE)
    for bucket, fate in ((hostile.other, NOT_ALLOWED), (hostile.bucket, GONE)):
        detail = {"bucket": {"name": bucket}, "object": {"key": f"a%2e{BIDI}"}, "reason": ["PutObject"]}
        hostile.add({"source": "me", "detail-type": "Object Created", "detail": detail}, fate)
    hostile.add({"source": "aws.s3", "detail-type": TERMINAL, "detail": {"Records": [5]}}, IGNORED)
    hostile.add({"source": "aws.s3", "detail-type": [FORGED], "detail": {"Records": []}}, IGNORED)
    hostile.add({"Event": "s3:TestEvent", "Bucket": TERMINAL}, IGNORED)
    hostile.add({"Event": "s3:TestEvent", "Records": [hostile.record()]}, STORED)


def _events(hostile: Hostile) -> None:
    for name in ("ObjectRemoved:Delete", "objectcreated:Put", "s3:s3:ObjectCreated:Put", "ObjectCreatedX", FORGED):
        hostile.add_record(IGNORED, "never", eventName=name)
    for name in ("", None, 5, ["ObjectCreated:Put"], {"a": "ObjectCreated"}):
        hostile.add_record(UNREADABLE, "never", eventName=name)
    for name in (
        f"ObjectCreated:{TERMINAL}{BIDI}",
        f"ObjectCreated:{FORGED}",
        "s3:ObjectCreated:Put",
        "ObjectCreated:",
    ):
        hostile.add_record(STORED, eventName=name)
    for version in ("9", "1.0", "", 2, None, [], f"3{FORGED}"):
        hostile.add_record(UNREADABLE, "never", eventVersion=version)


def _tokens(hostile: Hostile) -> None:
    for etag in (TRAVERSAL, "/etc/passwd", "..", f"a{FORGED}", TERMINAL, BIDI, "\x00", "e" * 5000, {}, 5, '""', "a/b"):
        hostile.add_record(STORED, s3__object__eTag=etag)
    for version in (FORGED, f"a\r\nHost: {hostile.other}", "v" * 5000, 5, [], "", "null", "\ud800"):
        hostile.add_record(STORED, s3__object__versionId=version)
    for version in (TRAVERSAL, "a&b=c", "a b#", '"', "%00", "v" * 1024):
        hostile.add_record(GONE, "good/0", s3__object__versionId=version)
    for region in ("evil.example/", "us-east-1.evil", "@evil", 5, {}, "\x1b", *(f"made-up-{n}" for n in range(40))):
        hostile.add_record(STORED, awsRegion=region)


def random_bodies(hostile: Hostile, chance: random.Random, count: int) -> None:
    """Add `count` notifications with something of them replaced, removed or cut."""
    atoms = (
        None,
        True,
        -1,
        0,
        2**64,
        1e308,
        "",
        "x",
        "../..",
        "\x1b[31m",
        BIDI,
        "\ud800",
        [],
        {},
        [{}],
        {"Records": [0]},
    )
    for n in range(count):
        record = hostile.record(f"random/{n}")
        place: Any = record
        while isinstance(place, dict) and place:
            name = chance.choice(list(place))
            if not isinstance(place[name], dict) or chance.random() < 0.3:
                place[name] = chance.choice(atoms)
                break
            place = place[name]
        body = json.dumps({"Records": [record] * chance.choice((1, 1, 1, 3))})
        if chance.random() < 0.2:
            body = body[: chance.randrange(1, len(body))]
        hostile.add(body, ANY)
