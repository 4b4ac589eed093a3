"""The bar of a job at the foot of a terminal, below the lines of the log."""

from __future__ import annotations

import logging
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from pipeline import progress

LOOK_S = 0.25
"""Between two looks at the counters."""


def draw(name: str, look: Callable[[], progress.Progress], ended: threading.Event) -> None:
    """Draw on standard error until `ended`; then it is gone, and the log goes where it went before."""
    terminal, console = sys.stderr, Console(stderr=True)
    bar = Progress(
        TextColumn(name, markup=False),
        BarColumn(bar_width=30),
        TextColumn("{task.description}", markup=False),
        console=console,
        auto_refresh=False,
        transient=True,
        redirect_stdout=sys.stdout.isatty(),  # what goes to a file is not for the terminal
    )
    with bar, ExitStack() as stack:
        console.show_cursor()  # else whoever leaves at once is left without one
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream is terminal:
                stack.callback(handler.setStream, handler.stream)
                handler.setStream(_Above(console))
        task = bar.add_task("", total=None)
        while not ended.wait(LOOK_S):
            now = look()
            total = now.total if now.is_complete else None
            bar.update(task, completed=now.done, total=total, description=str(now), refresh=True)


class _Above:
    """Where the log writes meanwhile."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def write(self, text: str) -> None:
        self._console.print(Text(text), end="", soft_wrap=True)

    def flush(self) -> None:
        """`write` keeps nothing back."""
