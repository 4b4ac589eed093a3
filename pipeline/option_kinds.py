"""What an option is, and how a text becomes its value."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from transforms.failures import DEFAULT_FATES, FailureKind, Fate, UserError

if TYPE_CHECKING:
    from collections.abc import Callable

PREFIX = "SQS_PIPELINE_"

Step = Literal["Receive", "Leases", "Fetch", "Process", "Write", "Run"]

_UNITS = {"": 1, "b": 1} | {
    f"{prefix}{suffix}": base**power
    for power, prefix in enumerate("kmgt", start=1)
    for suffix, base in (("b", 1000), ("ib", 1024))
}

_S3_PLACE = re.compile(r"s3a?://(?P<bucket>[a-z0-9._-]{1,255})(/(?P<prefix>.*))?", re.ASCII | re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Kind:
    """How values are written. Where `read` raises `LookupError` or `ValueError`, `expects` completes "it must be …"."""

    expects: str
    read: Callable[[str], Any]
    show: Callable[[Any], str] = str
    many: bool = False
    """Repeatable; the value is a tuple."""
    splits: bool = False
    """One text holds several values, between commas."""
    choices: str = ""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is allowed, and who says so."""

    low: float
    high: float | None = None
    owner: str = "this job"

    def __str__(self) -> str:
        """Say it: "SQS allows 0 to 20"."""
        return f"{self.owner} allows {self.range}"

    @property
    def range(self) -> str:
        """The allowed values alone."""
        return f"{self.low} or more" if self.high is None else f"{self.low} to {self.high}"

    def admit(self, value: float) -> bool:
        """Whether `value` is allowed."""
        return self.low <= value <= (math.inf if self.high is None else self.high)


@dataclass(frozen=True, slots=True)
class Option:
    """One line of the table: everything that the command line, the environment, `--help` and the README say of it."""

    name: str
    step: Step
    kind: Kind
    help: str
    """What it does, and why it has its default."""
    default: Any = None
    default_is: str = ""
    """The default in words, where it is computed."""
    unit: str = ""
    bounds: Bounds | None = None
    metavar: str = "N"
    at_most: str = ""
    """The option that this one may not exceed; a default gives way to it."""
    targets: tuple[str, ...] = ()
    """The fields of `Settings` that it fills as it is; the others are computed."""

    @property
    def flag(self) -> str:
        """As on the command line."""
        return f"--{self.name}"

    @property
    def variable(self) -> str:
        """As in the environment."""
        return f"{PREFIX}{self.name.upper()}"

    def read(self, text: str, label: str) -> Any:  # noqa: ANN401 - its kind says what
        """Answer the value that `text` means; `label` is what the user called the option. Raises `UserError`."""
        try:
            value = self.kind.read(text)
        except (LookupError, ValueError) as error:
            raise UserError(f"{label} is {text!r}; it must be {self.kind.expects}") from error
        if self.bounds and not self.bounds.admit(value):
            raise UserError(f"{label} is {text}; {self.bounds}")
        return value

    def shown(self, value: Any) -> str:  # noqa: ANN401 - its kind says what
        """Write `value` as a user would."""
        return self.kind.show(value)


def _read_text(text: str) -> str:
    if not text:
        raise ValueError(text)
    return text


def _read_integer(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):  # int() takes other digits and underscores, too
        raise ValueError(text)
    return int(text)


def _read_number(text: str) -> float:
    if not re.fullmatch(r"[+-]?[0-9]{1,18}(\.[0-9]+)?", text):  # float() takes nan and infinity, too
        raise ValueError(text)
    return float(text)


def _read_bytes(text: str) -> int:
    written = re.fullmatch(r"([+-]?[0-9]{1,18}(?:\.[0-9]+)?) ?([a-z]*)", text.lower())
    if written is None or written[2] not in _UNITS or ("." in written[1] and _UNITS[written[2]] == 1):
        raise ValueError(text)
    return int(float(written[1]) * _UNITS[written[2]]) if "." in written[1] else int(written[1]) * _UNITS[written[2]]


def _show_bytes(value: int) -> str:
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if value and value % _UNITS[unit.lower()] == 0:
            return f"{value // _UNITS[unit.lower()]}{unit}"
    return str(value)


def _read_flag(text: str) -> bool:
    return {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}[
        text.lower()
    ]


def _read_fate(text: str) -> tuple[FailureKind, Fate]:
    kind, _, fate = text.partition("=")
    return FailureKind(kind.strip()), Fate(fate.strip())


def _matching(pattern: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not re.fullmatch(pattern, text, re.ASCII):
            raise ValueError(text)
        return text

    return read


def read_moment(text: str) -> datetime:
    """Read a date or a time in ISO 8601, UTC unless it says more. Raises `ValueError`."""
    moment = datetime.fromisoformat(text)
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError as error:  # the first or the last day there is, in another time zone
        raise ValueError(text) from error


def _read_s3_place(text: str) -> tuple[str, str]:
    place = _S3_PLACE.fullmatch(text)
    if place is None:
        raise ValueError(text)
    return place["bucket"], place["prefix"] or ""


def one_of(*choices: str, ending: str = "") -> Kind:
    """Words in any case; `ending` may be left out."""
    words = {choice.lower(): choice for choice in choices} | {
        choice.lower().removesuffix(ending.lower()): choice for choice in choices
    }
    listed = ", ".join(choices)
    return Kind(f"one of {listed}", lambda text: words[text.lower()], choices=listed)


TEXT = Kind("a text that is not empty", _read_text)
INTEGER = Kind("a whole number", _read_integer)
NUMBER = Kind("a number", _read_number, show=lambda value: f"{value:g}")
BYTES = Kind("a number of bytes like 1048576, 4MiB or 256MB", _read_bytes, show=_show_bytes)
FLAG = Kind("true or false", _read_flag, show=lambda value: str(value).lower())
TEXTS = Kind("a text that is not empty", _read_text, many=True)
ROLE = Kind(
    "the ARN of a role like arn:aws:iam::123456789012:role/NAME",
    _matching(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/([\w+=,.@-]+/)*[\w+=,.@-]+"),
)
ACCOUNT = Kind("the 12 digits of an AWS account", _matching(r"[0-9]{12}"))
NAMES = Kind("a name, or several with commas between them", _read_text, many=True, splits=True)
MOMENT = Kind(
    "a date or a time like 2026-01-31 or 2026-01-31T09:00Z, which is UTC unless it says more",
    read_moment,
    show=lambda value: str(value.isoformat()),
)
S3_PLACES = Kind("a bucket, or a part of one, like s3://bucket/prefix", _read_s3_place, many=True)
FATES = Kind(
    f"kind=fate; kinds are {', '.join(DEFAULT_FATES)}; fates are {', '.join(Fate)}", _read_fate, many=True, splits=True
)
