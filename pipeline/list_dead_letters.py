"""`python -m pipeline dead_letters`: what was set aside, as a table or as JSON Lines, and what each kind means."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from typing import TYPE_CHECKING, TextIO

from pipeline.dead_letter_options import letters, parse_dead_letters
from pipeline.logs import printable
from transforms.documents import iso
from transforms.failures import explanation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from transforms.dead_letter_box import DeadLetter

HEADER = ("set aside at", "kind", "object or message", "receives", "detail")


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the command and answer the exit code. Raises `UserError`."""
    asked = parse_dead_letters(argv, environ)
    box = asked.box()
    write = write_json if asked.json else write_table
    try:
        write(letters(asked, box), sys.stdout)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has seen enough; Python would flush once more at the end, and complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1 if box.unread else 0


def write_json(found: Iterable[DeadLetter], out: TextIO) -> None:
    """Write each as it is stored, with its name and what its kind means, one on a line."""
    for letter in found:
        line = {"name": letter.name, "explanation": explanation(letter.kind), **letter.document}
        out.write(f"{json.dumps(line)}\n")


def write_table(found: Iterable[DeadLetter], out: TextIO) -> None:
    """Write a row for each, the latest last, and then how many there are of each kind."""
    rows = sorted(map(_row, found))  # without bodies: a row is all that stays in memory
    if not rows:
        out.write("Nothing is set aside.\n")
        return
    widths = [max(len(row[column]) for row in [HEADER, *rows]) for column in range(len(HEADER) - 1)]
    for row in [HEADER, *rows]:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        out.write(f"{'  '.join([*cells, row[-1]]).rstrip()}\n")
    counts = Counter(row[1] for row in rows).most_common()
    width = max(len(kind) for kind, _ in counts)
    out.write(f"\n{len(rows):,} set aside\n")
    out.writelines(f"  {count:>6,}  {kind.ljust(width)}  {explanation(kind)}".rstrip() + "\n" for kind, count in counts)


def _row(letter: DeadLetter) -> tuple[str, str, str, str, str]:
    """Keys and details are others': nothing of them speaks to a terminal."""
    count = str(letter.delivery.receive_count)
    texts = (printable(text) for text in (letter.kind, letter.subject, count, letter.detail))
    kind, subject, receives, detail = texts
    return iso(letter.failed_at), kind, subject, receives, detail
