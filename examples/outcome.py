"""What the job left on disk: read it, show it, compare it with what was uploaded."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from terminal import elided

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sample import Sample

MARKER = ".quickstart"
DEAD_LETTERS = "_dead_letters"


class NotOursError(Exception):
    """The output directory holds something that no run of the quick start made."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Every document the job stored, and all files."""

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
    stored = sorted(path for path in (output / bucket).rglob("*") if path.is_file())
    results = [path for path in stored if path.suffix == ".json"]
    dead_letters = sorted((output / DEAD_LETTERS).rglob("*.json"))
    return Outcome(
        results=[json.loads(path.read_text(encoding="utf-8")) for path in results],
        dead_letters=[json.loads(path.read_text(encoding="utf-8")) for path in dead_letters],
        paths=stored + dead_letters,
    )


def results_table(results: list[dict[str, Any]], columns: tuple[str, ...]) -> list[str]:
    """Lay out the fields of each result that `columns` names; numbers to the right."""
    values = [
        [elided(result["source"]["key"]) for result in results],
        *([result.get(column, "") for result in results] for column in columns),
    ]
    cells = [_column(name, column) for name, column in zip(("object", *columns), values, strict=True)]
    return ["  ".join(row).rstrip() for row in zip(*cells, strict=True)]


def _column(name: str, values: list[Any]) -> list[str]:
    texts = [name, *map(_told, values)]
    width = max(map(len, texts))
    is_number = all(type(value) is int for value in values)
    return [text.rjust(width) if is_number else text.ljust(width) for text in texts]


def _told(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_told(inner)}" for name, inner in value.items()) or "-"
    return f"{value:,}" if type(value) is int else str(value)


def surprises(found: Outcome, uploaded: list[Sample]) -> list[str]:
    """Answer a sentence for everything that is not exactly as it must be."""
    results = {result["source"]["key"]: result for result in found.results}
    expected = {sample.key: sample.fields for sample in uploaded if sample.fields is not None}
    aside = sorted((object_of(letter), letter["kind"]) for letter in found.dead_letters)
    expected_aside = sorted((sample.key, sample.set_aside) for sample in uploaded if sample.set_aside)
    sentences = [
        f"{key}: expected {expected.get(key)}, found {results.get(key)}"
        for key in sorted(expected.keys() | results.keys())
        if not _holds(results.get(key), expected.get(key))
    ]
    if len(found.results) != len(results):
        sentences.append(f"{len(found.results)} results for {len(results)} objects")
    if aside != expected_aside:
        sentences.append(f"expected the dead letters {expected_aside}, found {aside}")
    return sentences


def differences(seen: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    """Answer a sentence for everything beside the job that is not as it must be."""
    return [
        f"expected {value} {name}, found {seen.get(name)}"
        for name, value in expected.items()
        if seen.get(name) != value
    ]


def _holds(result: Mapping[str, Any] | None, fields: Mapping[str, Any] | None) -> bool:
    return result is not None and fields is not None and fields.items() <= result.items()


def object_of(dead_letter: dict[str, Any]) -> str:
    """Name the object a dead letter is about, or its message where that names none."""
    reference = dead_letter["reference"]
    return str(reference["key"] if reference else dead_letter["message_id"])


def short(path: Path, base: Path) -> str:
    """Write a path as short as it can be from `base`."""
    return str(path.relative_to(base)) if path.is_relative_to(base) else str(path)
