"""Shows what became of every object, and judges it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import outcome
from aws_setup import messages_left
from terminal import bold, fail, say, say_some, step

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_setup import Queues
    from catalogue import Example
    from local_aws import LocalAws
    from outcome import Outcome
    from sample import Sample


def show(example: Example, uploaded: list[Sample], found: Outcome, seen: Mapping[str, Any]) -> list[str]:
    """Show the results, the dead letters and what was `seen` beside the job; answer what is not as it must be."""
    step("Results")
    say_some(outcome.results_table(found.results, example.columns))
    if seen:
        step(example.looks_at)
        width = max(map(len, seen))
        say(*(f"{name:<{width}}  {value}" for name, value in seen.items()))
    if found.dead_letters:
        step("Set aside, with the reason")
        say(*(f"{outcome.object_of(letter)}: {letter['kind']}: {letter['detail']}" for letter in found.dead_letters))
    return outcome.surprises(found, uploaded) + outcome.differences(seen, example.expected)


def show_queue(aws: LocalAws, queues: Queues) -> list[str]:
    """Show what is left in the queues; answer what is not as it must be."""
    waiting, held = messages_left(aws, queues.url)
    waiting_dead, _ = messages_left(aws, queues.dead_letter_url)
    step("The queue")
    say(f"{waiting} messages waiting, {held} held by a receiver, {waiting_dead} in its dead-letter queue")
    return ["the queue is not empty"] if waiting or held or waiting_dead else []


def show_files(found: Outcome) -> None:
    """Show where the documents are."""
    step("The files")
    say_some([outcome.short(path, Path.cwd()) for path in found.paths])


def judge(found: Outcome, surprises: list[str]) -> bool:
    """Say whether all is as it must be, and answer it."""
    for surprise in surprises:
        fail(f"Not as expected: {surprise}")
    if not surprises:
        stored, aside = len(found.results), len(found.dead_letters)
        letters = f"{aside} dead letter{'' if aside == 1 else 's'}"
        print(f"\n{bold('All as expected:')} {stored} results, {letters}, nothing left in the queue.")
    return not surprises
