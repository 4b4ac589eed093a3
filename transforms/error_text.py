"""What an error says of itself, even one of the user's that raises, lies or never ends when it is asked."""

from __future__ import annotations

import traceback

MAX_TRACEBACK_CHARS = 20_000


def said(error: BaseException) -> str:
    """Answer `str(error)`, or that there is none."""
    try:
        return f"{error}"
    except BaseException:  # noqa: BLE001 - its `__str__` may do anything
        return "its own __str__ raises"


def described(error: BaseException) -> str:
    """Say what was raised in a sentence that begins with the class."""
    try:
        name = f"{type(error).__name__}"
    except BaseException:  # noqa: BLE001 - so may its metaclass
        name = "an error without a name"
    return f"{name}: {said(error)}"


def class_name(error: BaseException) -> str:
    """Answer the class of `error` with its module."""
    try:
        return f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    except BaseException:  # noqa: BLE001 - as above
        return "unknown"


def traceback_text(error: BaseException) -> str:
    """Show where `error` came from and what it says, however much that is: its beginning and its end."""
    try:
        text = "".join(traceback.format_exception(error))
    except BaseException as failed:  # noqa: BLE001 - as above; and groups within groups are more than Python can show
        text = f"{described(error)}\nIts traceback cannot be shown: {described(failed)}\n"
    return shortened(text)


def shortened(text: str) -> str:
    """Keep the beginning and the end of a traceback that is too long."""
    half = MAX_TRACEBACK_CHARS // 2
    return text if len(text) <= MAX_TRACEBACK_CHARS else f"{text[:half]}\n…\n{text[-half:]}"
