"""What an error says of itself, whatever it does when it is asked."""

from __future__ import annotations

import pytest

from transforms.error_text import MAX_TRACEBACK_CHARS, class_name, described, said, traceback_text
from transforms.failures import ProcessorError
from transforms.records import MAX_DETAIL_CHARS, one_line


class _WordlessError(Exception):
    def __str__(self) -> str:
        raise SystemExit("no words")

    __repr__ = __str__


class _CauselessError(Exception):
    @property
    def __cause__(self) -> BaseException | None:  # type: ignore[override]
        raise ValueError("no cause")


class _Nameless(type):
    def __getattribute__(cls, name: str) -> object:
        raise ValueError("no name")


class _NamelessError(Exception, metaclass=_Nameless):
    pass


def _groups() -> Exception:
    group: Exception = ValueError("innermost")
    for _ in range(3000):
        group = ExceptionGroup("outer", [group])
    return group


@pytest.mark.parametrize("error", [_WordlessError(), _CauselessError("x"), _NamelessError("x"), _groups()])
def test_no_error_keeps_itself_from_being_told(error: Exception) -> None:
    """Not by what it raises, not by how deep it is."""
    texts = (said(error), described(error), class_name(error), traceback_text(error))

    assert all(texts)
    assert max(map(len, texts)) <= MAX_TRACEBACK_CHARS + 3


def test_an_error_that_says_nothing_is_told_as_that() -> None:
    """Also where one of ours is made of it."""
    assert "_WordlessError: its own __str__ raises" == described(_WordlessError())
    assert "its own __str__ raises" == ProcessorError(_WordlessError()).detail


def test_an_ordinary_error_is_told_as_python_does() -> None:
    """With its class, and of others than Python's the module."""
    assert ("ValueError: x", "ValueError") == (described(ValueError("x")), class_name(ValueError("x")))
    assert f"{__name__}._CauselessError" == class_name(_CauselessError())
    assert "ValueError: x\n" == traceback_text(ValueError("x"))


def test_a_line_is_made_of_the_beginning_of_a_text_without_end() -> None:
    """In no time: only what is shown is escaped."""
    line = one_line("\x1b" * 50_000_000)

    assert MAX_DETAIL_CHARS == len(line)
    assert line.endswith("…")
