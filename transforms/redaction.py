"""Takes out of messages who and where: accounts, principals, addresses, request ids, and what SNS signs.

What was equal stays equal: one account has one stand-in wherever it is, in an ARN, a number or JSON within a string. So
a redacted message is parsed as the original is. Stand-ins are counted and not hashed: a hash of twelve digits can be
guessed. Pure; works on whatever anybody sent.
"""

from __future__ import annotations

import ipaddress
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_STAND_INS: Mapping[str, str] = {
    "account": "9999{:08}",
    "address": "240.0.0.{}",
    "address6": "2001:db8::{:x}",
    "email": "redacted-{}@example.com",
    "principal": "redacted-principal-{}",
    "request": "redacted-request-{}",
    "signed": "redacted-{}",
    "topic": "arn:aws:sns:us-east-1:999900000000:redacted-topic-{}",
}
"""What AWS gives to nobody: addresses that are reserved, or for documentation, and an account still twelve digits."""
_LAST_OCTET = 256

_FIELDS: Mapping[str, str] = {
    **dict.fromkeys(("principalid", "username", "accesskeyid", "sessionname"), "principal"),
    **dict.fromkeys(("sourceipaddress", "sourceip"), "address"),
    **dict.fromkeys(("xamzrequestid", "xamzid2", "requestid", "hostid"), "request"),
    **dict.fromkeys(("signature", "signingcerturl", "unsubscribeurl", "subscribeurl", "token"), "signed"),
    "topicarn": "topic",
}
"""Fields whose whole value goes, whatever it is; written without case, `-` and `_`."""

_IDENTITY = frozenset(("object", name) for name in ("eTag", "etag", "versionId", "version-id", "sequencer", "size"))
"""Field and the one around it: which content it is. Digits in these are no account."""
_NAMES = frozenset({("bucket", "name"), ("object", "key")})
"""Where the object is. The processing function may go by it, so it goes only if that is wanted."""

_ESCAPED = r"(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{4})"
"""What may stand before a token in JSON that is read as text, though it looks like a part of it."""
_ADDRESS6 = rf"(?a:(?:(?<![\w:.])|{_ESCAPED})(?=[0-9A-Fa-f.]*+:[0-9A-Fa-f.]*+:)(?P<address6>[0-9A-Fa-f:.]++)(?!\w))"
_FIELD_NAMES = "|".join("[-_]?".join(name) for name in _FIELDS)
_OTHERS = rf"""
    (?P<field>(?<!\\)(?P<escape>\\*+)"(?P<name>(?i:{_FIELD_NAMES}))(?P=escape)"\s*+:\s*+(?P=escape)")
        (?P<value>.*?)(?=(?<!\\)(?P=escape)"|\Z)
  | (?P<principal>arn:aws[a-z-]*+:(?:iam|sts):[^\s"'\\,;]*+
      | (?:(?<![0-9A-Za-z])|{_ESCAPED})(?:AWS:)?
        (?:A3T[A-Z0-9]|ABIA|ACCA|AGPA|AIDA|AIPA|AKIA|ANPA|ANVA|APKA|AROA|ASCA|ASIA)[A-Z0-9]{{12,}}+(?::[^\s"'\\,;]*+)?)
  | (?P<email>(?<![\w.+-])[\w.+-]{{1,64}}+@[\w-]{{1,63}}+(?:\.[\w-]{{1,63}}+)++)
  | (?P<address>(?<![0-9])(?:[0-9]{{1,3}}\.){{3}}[0-9]{{1,3}}(?![0-9]))
  | (?P<account>(?<![0-9])[0-9]{{12}}(?![0-9]))
"""
_KNOWN = re.compile(f"{_ADDRESS6}|{_OTHERS}", re.VERBOSE | re.DOTALL)
_KNOWN_BUT_ADDRESS6 = re.compile(_OTHERS, re.VERBOSE | re.DOTALL)
"""Fields are found in text, too: in what is no JSON, since it was cut for example."""


class Redaction:
    """One for all messages of a recording, so that their stand-ins agree. Not for several threads."""

    def __init__(self, *, names: bool = False) -> None:
        """Bucket names and keys are redacted only with `names`; ETags, versions and sizes never."""
        self._names = names
        self._stand_ins: dict[tuple[str, str], str] = {}
        self._counts = dict.fromkeys(_STAND_INS, 0)
        self.names_kept = 0
        """Bucket names and keys that were kept although there is something in them that is redacted elsewhere."""

    def redact(self, body: str) -> str:
        """Answer `body` redacted: JSON if it was JSON, compact. Never raises, whatever the body."""
        try:
            return self._text(body)
        except RecursionError:  # nested too deeply for JSON, or JSON in strings in JSON
            return self._plain(body)

    def _text(self, text: str) -> str:
        """Redact what may be JSON, as the `Message` of SNS is."""
        value = _json(text)
        return self._plain(text) if value is None else json.dumps(self._value(value), separators=(",", ":"))

    def _value(self, value: Any, around: str = "", kind: str | None = None) -> Any:  # noqa: ANN401 - JSON
        """Redact what is in the field `around`; `kind` says that the whole of it goes, and what it is."""
        if isinstance(value, dict):
            return {self._plain(name): self._member(name, inner, around, kind) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._value(each, around, kind) for each in value]
        if value is None or isinstance(value, bool) or value == "":
            return value
        text = value if isinstance(value, str) else json.dumps(value)
        if kind:
            return self._stand_in(kind, text)
        return self._text(text) if isinstance(value, str) else json.loads(self._plain(text))

    def _member(self, name: str, inner: Any, around: str, kind: str | None) -> Any:  # noqa: ANN401 - JSON
        if (around, name) in _IDENTITY and isinstance(inner, str | int):
            return inner
        if (around, name) in _NAMES and isinstance(inner, str):
            redacted = self._plain(inner)
            self.names_kept += redacted != inner and not self._names
            return redacted if self._names else inner
        return self._value(inner, name, _FIELDS.get(_folded(name), kind))

    def _plain(self, text: str, known: re.Pattern[str] = _KNOWN) -> str:
        return known.sub(self._replaced, text)

    def _replaced(self, match: re.Match[str]) -> str:
        groups = match.groupdict()
        if groups["field"] is not None:
            return groups["field"] + self._stand_in(_FIELDS[_folded(groups["name"])], groups["value"])
        if groups.get("address6") is not None:
            return self._address6(groups["address6"])
        return self._stand_in(str(match.lastgroup), match.group())

    def _address6(self, text: str) -> str:
        address = text.rstrip(":.")  # the end of a sentence, or a port
        address = address if _is_address6(address) else text
        if not _is_address6(address):
            return self._plain(text, _KNOWN_BUT_ADDRESS6)
        return self._stand_in("address6", address) + text[len(address) :]

    def _stand_in(self, kind: str, text: str) -> str:
        if (kind, text) not in self._stand_ins:
            self._counts[kind] += 1
            number = self._counts[kind]
            if kind == "address":  # 1 to 2^24, as the last three of four numbers
                high, low = divmod(number, _LAST_OCTET)
                self._stand_ins[kind, text] = f"240.{high // _LAST_OCTET}.{high % _LAST_OCTET}.{low}"
            else:
                self._stand_ins[kind, text] = _STAND_INS[kind].format(number)
        return self._stand_ins[kind, text]


def _json(text: str) -> dict[str, Any] | list[Any] | str | None:
    """Answer the value if `text` is JSON with something in it, None if it is not."""
    if text.lstrip()[:1] not in {"{", "[", '"'}:
        return None
    try:
        value: dict[str, Any] | list[Any] | str = json.loads(text)
    except ValueError:
        return None
    return value


def _folded(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def _is_address6(text: str) -> bool:
    try:
        return bool(ipaddress.IPv6Address(text))
    except ValueError:
        return False
