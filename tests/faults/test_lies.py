"""Answers of S3 that lie: memory and time stay bounded, each has a reason, and its neighbours do not notice."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from tests.faults import answers
from tests.faults.answers import MIB, ZEROS, Truth, gzip_of, told
from tests.faults.conftest import histogram, only_full
from tests.faults.giants import DRAIN, GROWTH_MIB, LIMIT, LIMITS, NEIGHBOURS, counted, counts, grown_mib, kinds, noise

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.faults.conftest import World
    from tests.faults.proxy import Event

    Lie = Callable[[Truth, int], AsyncIterator[bytes]]

CLIENTS = ["", pytest.param("by//boto3/", marks=only_full)]
"""Prefixes of keys: one of them goes by another client."""
FINAL: dict[str, tuple[Lie, str]] = {
    "endless": (answers.endless, "too_large"),
    "endless gzip": (answers.endless_gzip, "too_large"),
    "bomb within its length": (gzip_of(ZEROS, LIMIT - 1), "too_large"),
    "nothing within its length": (gzip_of(answers.NOTHING, LIMIT - 1), "corrupt_gzip"),
    "longer than announced": (answers.longer_than_announced, "corrupt_gzip"),
}
"""What tells the end of it at the first receive."""


@pytest.mark.parametrize("client", CLIENTS)
def test_an_answer_that_lies_about_the_object_is_set_aside(
    world: World, figures: Callable[..., None], client: str
) -> None:
    """At once: whatever it is read again, it has no end, or is no gzip file."""
    expected: dict[str, str] = {}
    for name, (lie, kind) in FINAL.items():
        for size in ("small", "large"):
            key = f"{client}{name} {size}"
            tell(world, key, lie)
            expected[key] = kind
    world.put_many(NEIGHBOURS)
    world.notify(*([key] for key in expected), *([key] for key in NEIGHBOURS))
    with world.job(*LIMITS, *DRAIN) as job:
        grown = grown_mib(job, 300)
    assert kinds(world) == expected
    assert counted(world, []) == {}
    assert world.left() == (0, 0)
    figures(lies=len(expected), receives=histogram(world.proxy.receives()), grown=f"{grown:.0f} MiB")
    assert grown < GROWTH_MIB, job


PASSING: dict[str, tuple[Lie, str]] = {
    "without a length": (answers.without_a_length, "unavailable"),
    "chunks beside a length": (answers.chunks_beside_a_length, "broken_transfer"),
    "cut": (answers.cut, "broken_transfer"),
}
"""What might be better next time."""


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", PASSING)
def test_an_answer_that_breaks_every_time_is_returned_and_in_the_end_set_aside(
    world: World, figures: Callable[..., None], name: str, client: str
) -> None:
    """The neighbours are stored at their first receive."""
    lie, kind = PASSING[name]
    lying = {f"{client}small": lie, f"{client}large": lie}  # a third would make it an outage
    giant = lie_beside_a_giant(world, lying)
    with world.job(*LIMITS, "--give_up_after=2", "--retry_base_s=1", "--retry_max_s=1", *DRAIN) as job:
        grown = grown_mib(job, 300)
    assert kinds(world) == dict.fromkeys(lying, kind)
    assert counted(world, ["giant"]) == {"giant": giant}
    assert world.left() == (0, 0)
    receives = histogram(world.proxy.receives())
    figures(receives=receives, grown=f"{grown:.0f} MiB")
    assert len(job.lines_with("returned message")) == len(lying), job
    assert grown < GROWTH_MIB, job


@only_full
@pytest.mark.parametrize(
    "lying",
    [
        {"small": answers.stalled, "large": answers.dripping},
        {"by//boto3/small": answers.dripping, "by//boto3/large": answers.stalled},
    ],
    ids=["obstore", "boto3"],
)
def test_an_answer_that_never_ends_is_given_up_and_holds_nobody_up(
    world: World, figures: Callable[..., None], lying: dict[str, Lie]
) -> None:
    """The neighbours are stored long before, and a large one that waits for the same thread in the end."""
    giant = lie_beside_a_giant(world, lying)
    with world.job(*LIMITS, "--give_up_after=1", *DRAIN) as job:
        grown = grown_mib(job, 900)
    assert kinds(world) == dict.fromkeys(lying, "timed_out")
    assert counted(world, ["giant"]) == {"giant": giant}
    assert world.left() == (0, 0)
    puts = [e for e in world.proxy.events if e.operation == "PUT" and e.bucket == world.output]
    names = {f"_dead_letters/{letter['message_id']}-0.json" for letter in world.dead_letters()}
    given_up_at = [e.begun_at - puts[0].begun_at for e in puts if e.key in names]
    names = {world.result_name(key) for key in NEIGHBOURS}
    neighbours_at = [e.ended_at - puts[0].begun_at for e in puts if e.key in names]
    figures(
        given_up_after=" and ".join(f"{seconds:.0f} s" for seconds in given_up_at),
        neighbours_stored_after=f"{max(neighbours_at):.0f} s",
        grown=f"{grown:.0f} MiB",
    )
    assert max(neighbours_at) < min(given_up_at), job
    assert grown < GROWTH_MIB, job


@pytest.mark.parametrize("client", CLIENTS)
def test_an_answer_that_was_cut_once_is_resumed(world: World, figures: Callable[..., None], client: str) -> None:
    """At the same receive, and the result is right."""
    lying = {f"{client}small": 1, f"{client}large": 2}  # of a large one the first answer only says how large it is
    expected = {key: counts(tell(world, key, answers.cut, times=times)) for key, times in lying.items()}
    world.put_many(NEIGHBOURS)
    world.notify(*([key] for key in lying), *([key] for key in NEIGHBOURS))
    with world.job(*LIMITS, *DRAIN) as job:
        grown = grown_mib(job, 120)
    assert kinds(world) == {}
    assert counted(world, list(lying)) == expected
    assert world.left() == (0, 0)
    gets = [event for event in world.proxy.events if event.operation == "GET" and event.key in lying]
    receives = histogram(world.proxy.receives())
    figures(cut=sum(event.fault == "lie" for event in gets), gets=len(gets), receives=receives)
    assert {event.key for event in gets if event.offset > 0} == set(lying), job
    assert not job.lines_with("returned message"), job
    assert grown < GROWTH_MIB, job


def lie_beside_a_giant(world: World, lying: dict[str, Lie]) -> tuple[int, int]:
    """Notify of objects that are lied about, a large one that is not, and the neighbours; the large one's counts."""
    for key, lie in lying.items():
        tell(world, key, lie)
    giant = noise(6 * MIB)
    world.put("giant", gzip.compress(giant, 1))
    world.put_many(NEIGHBOURS)
    world.notify(*([key] for key in lying), ["giant"], *([key] for key in NEIGHBOURS))
    return counts(giant)


def tell(world: World, key: str, lie: Lie, *, times: int | None = None) -> bytes:
    """Store an object as large as its key says, and replace every answer to a GET of it, or so many, by a lie."""
    content = noise(200_000 if key.endswith("small") else 6 * MIB)
    stored = gzip.compress(content, 1)
    world.put(key, stored)
    world.sizes[key] = len(stored)

    def applies(event: Event) -> bool:
        return (event.operation, event.bucket, event.key) == ("GET", world.name, key)

    world.proxy.lie(told(lie, Truth(stored, world.etags[key])), applies, times)
    return content
