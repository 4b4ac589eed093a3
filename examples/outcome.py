"""What the job left on disk: read it, show it, compare it with what was uploaded."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from sample_logs import Sample

MARKER = ".quickstart"
DEAD_LETTERS = "_dead_letters"


class NotOursError(Exception):
    """The output directory holds something that no run of the quick start made."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Every document the job stored, and where."""

    results: list[dict[str, Any]]
    dead_letters: list[dict[str, Any]]
    paths: list[Path]


def make_room(output: Path, bucket: str) -> None:
    """Make `output`, or remove an earlier run's results from it; anything else in it stays."""
    if output.exists() and not output.is_dir():
        raise NotOursError(f"{output} is not a directory; name another one with --output.")
    if output.exists() and any(output.iterdir()) and not (output / MARKER).exists():
        raise NotOursError(f"{output} holds files that this example did not make; name another one with --output.")
    output.mkdir(parents=True, exist_ok=True)
    (output / MARKER).write_text("Made by ./run_local.sh, which empties this directory's results when it runs again.\n")
    for made in (output / bucket, output / DEAD_LETTERS):
        shutil.rmtree(made, ignore_errors=True)


def read(output: Path, bucket: str) -> Outcome:
    """Read every result and dead letter under `output`."""
    results = sorted((output / bucket).rglob("*.json"))
    dead_letters = sorted((output / DEAD_LETTERS).rglob("*.json"))
    return Outcome(
        results=[json.loads(path.read_text(encoding="utf-8")) for path in results],
        dead_letters=[json.loads(path.read_text(encoding="utf-8")) for path in dead_letters],
        paths=results + dead_letters,
    )


def results_table(results: list[dict[str, Any]]) -> list[str]:
    """Lay out what the default processor found in each object."""
    width = max((len(result["source"]["key"]) for result in results), default=6)
    return [
        f"{'object':<{width}}  {'line_count':>10}  {'byte_size':>9}",
        *(
            f"{result['source']['key']:<{width}}  {result['line_count']:>10,}  {result['byte_size']:>9,}"
            for result in results
        ),
    ]


def surprises(found: Outcome, uploaded: list[Sample]) -> list[str]:
    """Answer a sentence for everything that is not exactly as it must be."""
    counts = {result["source"]["key"]: (result["line_count"], result["byte_size"]) for result in found.results}
    expected = {sample.key: sample.counts for sample in uploaded if sample.counts}
    aside = sorted((object_of(letter), letter["kind"]) for letter in found.dead_letters)
    expected_aside = sorted((sample.key, "corrupt_gzip") for sample in uploaded if not sample.counts)
    sentences = [
        f"{key}: expected {expected.get(key)} (lines, bytes), found {counts.get(key)}"
        for key in sorted(expected.keys() | counts.keys())
        if expected.get(key) != counts.get(key)
    ]
    if len(found.results) != len(counts):
        sentences.append(f"{len(found.results)} results for {len(counts)} objects")
    if aside != expected_aside:
        sentences.append(f"expected the dead letters {expected_aside}, found {aside}")
    return sentences


def object_of(dead_letter: dict[str, Any]) -> str:
    """Name the object a dead letter is about, or its message where that names none."""
    reference = dead_letter["reference"]
    return str(reference["key"] if reference else dead_letter["message_id"])


def short(path: Path, base: Path) -> str:
    """Write a path as short as it can be from `base`."""
    return str(path.relative_to(base)) if path.is_relative_to(base) else str(path)
