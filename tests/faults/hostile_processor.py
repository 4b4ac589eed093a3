"""A function whose outputs and errors are as bad as outputs and errors can be; the object's key says which."""

from __future__ import annotations

import enum
import gc
import types
from collections import Counter, OrderedDict, UserDict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from transforms.contents import Fetched

STORED, BAD_RESULT, RAISED = "stored", "bad_result", "processor_error"
FORGED = "\n2026-01-01T00:00:00.000Z INFO  stopped: 9 received\x1b[2J\u202e"
HUGE = 100_000_000


def _cycle(_: bytes) -> object:
    inner: dict[str, Any] = {}
    inner["again"] = inner
    return {"a": inner}


def _deep(_: bytes) -> object:
    inner: list[Any] = []
    for _level in range(100_000):
        inner = [inner]
    return {"a": inner}


class _Silent:
    """Says nothing of itself."""

    def __str__(self) -> str:
        raise ValueError("no str")

    def __repr__(self) -> str:
        raise KeyboardInterrupt("no repr")


class _LyingMapping(UserDict[str, Any]):
    """Has a source, and says that it has not."""

    def __contains__(self, key: object) -> bool:
        return False


class _RaisingKeys(UserDict[str, Any]):
    def keys(self) -> Any:  # noqa: ANN401 - that it raises is the point
        raise SystemExit("no keys")

    def __iter__(self) -> Iterator[str]:
        raise SystemExit("no keys")


class _LyingDict(dict[str, Any]):
    def items(self) -> Any:  # noqa: ANN401 - as above
        return [("a", 1, 2), "b"]

    def __len__(self) -> int:
        raise ValueError("no length")


class _Name(str):
    """A name that is equal to none."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return False

    def __hash__(self) -> int:
        return 0


class _Colour(enum.StrEnum):
    RED = "red"


class _Whole(int):
    def __repr__(self) -> str:
        return FORGED

    __str__ = __repr__


class _NotEvenAClass:
    @property
    def __class__(self) -> Any:  # type: ignore[override]  # noqa: ANN401 - the lie
        raise MemoryError("no class")


class _SilentError(Exception):
    def __str__(self) -> str:
        raise SystemExit("no words")

    __repr__ = __str__


class _CauselessError(Exception):
    @property
    def __cause__(self) -> Any:  # type: ignore[override]  # noqa: ANN401 - as above
        raise ValueError("no cause")


class _Meta(type):
    def __getattribute__(cls, name: str) -> Any:  # noqa: ANN401 - of many kinds
        if name in {"__module__", "__name__", "__qualname__"}:
            raise ValueError("no name")
        return super().__getattribute__(name)


class _NamelessError(Exception, metaclass=_Meta):
    pass


def _chain(_: bytes) -> object:
    error: Exception = ValueError("the first")
    for number in range(20_000):
        following = ValueError(number)
        following.__cause__ = error
        error = following
    raise error


def _groups(_: bytes) -> object:
    group: Exception = ValueError("innermost")
    for _level in range(3000):
        group = ExceptionGroup(FORGED, [group])
    raise group


def _unfinished(data: bytes) -> object:
    def lines() -> Iterator[bytes]:
        try:
            yield data
        finally:
            raise RuntimeError(f"not finished{FORGED}")

    unfinished = lines()
    next(unfinished)
    del unfinished  # its error has nobody to go to
    gc.collect()
    return {"line_count": 2}


def _raise(error: BaseException) -> Any:  # noqa: ANN401 - it never answers
    raise error


OUTPUTS: dict[str, tuple[Callable[[bytes], object], str]] = {
    "huge int": (lambda _: {"a": 10**5000}, BAD_RESULT),
    "large int": (lambda _: {"a": 10**4000}, STORED),
    "nan": (lambda _: {"a": float("nan")}, BAD_RESULT),
    "infinite": (lambda _: {"a": [{"b": float("-inf")}]}, BAD_RESULT),
    "bytes names": (lambda data: Counter(data.split(b"\n")), BAD_RESULT),
    "huge bytes name": (lambda _: {b"\x00" * HUGE: 1}, BAD_RESULT),
    "mixed names": (lambda _: {None: 1, 5: 2, (1, 2): 3}, BAD_RESULT),
    "nested names": (lambda _: {"a": {(1, 2): 3}}, BAD_RESULT),
    "content in a nested name": (lambda data: {"a": {data: 3}}, BAD_RESULT),
    "silent name": (lambda _: {_Silent(): 1}, BAD_RESULT),
    "silent value": (lambda _: {"a": _Silent()}, BAD_RESULT),
    "content as bytes": (lambda data: {"a": data}, BAD_RESULT),
    "surrogate": (lambda _: {"a": "\ud800"}, BAD_RESULT),
    "cyclic": (_cycle, BAD_RESULT),
    "deep": (_deep, BAD_RESULT),
    "source": (lambda _: {"source": "mine"}, BAD_RESULT),
    "source as another name": (lambda _: {_Name("source"): "mine"}, BAD_RESULT),
    "hidden source": (lambda _: _LyingMapping({"source": "mine"}), BAD_RESULT),
    "its own time": (lambda _: {"processed_at": "mine"}, STORED),
    "large string": (lambda _: {"a": "x" * HUGE}, STORED),
    "forged string": (lambda _: {FORGED: FORGED}, STORED),
    "enum name": (lambda _: {_Colour.RED: _Colour.RED}, STORED),
    "lying int": (lambda _: {"a": _Whole(5)}, STORED),
    "ordered": (lambda _: OrderedDict(a=OrderedDict(b=1)), STORED),
    "read only": (lambda _: types.MappingProxyType({"a": 1}), STORED),
    "lying dict": (lambda _: _LyingDict(a=1), STORED),
    "nested lying dict": (lambda _: {"a": _LyingDict(a=1)}, BAD_RESULT),
    "raising keys": (lambda _: _RaisingKeys(a=1), RAISED),
    "generator": (lambda _: (n for n in range(3)), BAD_RESULT),
    "nested generator": (lambda _: {"a": (n for n in range(3))}, BAD_RESULT),
    "unfinished generator": (_unfinished, STORED),
    "not even a class": (lambda _: _NotEvenAClass(), RAISED),
    "nothing": (lambda _: None, BAD_RESULT),
    "a class": (lambda _: dict, BAD_RESULT),
    "huge error": (lambda _: _raise(ValueError("\x1b" * HUGE)), RAISED),
    "forged error": (lambda _: _raise(ValueError(FORGED)), RAISED),
    "error after reading": (lambda _: _raise(ValueError("a bad value")), RAISED),
    "silent error": (lambda _: _raise(_SilentError()), RAISED),
    "causeless error": (lambda _: _raise(_CauselessError()), RAISED),
    "nameless error": (lambda _: _raise(_NamelessError()), RAISED),
    "chain of errors": (_chain, RAISED),
    "groups of errors": (_groups, RAISED),
    "generator exit": (lambda _: _raise(GeneratorExit()), RAISED),
    "stop iteration": (lambda _: _raise(StopIteration()), RAISED),
}
FATES = {key: fate for key, (_, fate) in OUTPUTS.items()}


class Hostile:
    """Do what the key says; count like the default otherwise."""

    def __call__(self, content: Fetched) -> object:
        """Answer or raise."""
        data = content.read()
        if content.ref.key in OUTPUTS:
            return OUTPUTS[content.ref.key][0](data)
        return {"line_count": data.count(b"\n") + 1}
