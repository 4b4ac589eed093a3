"""Bombs, giants and lies: memory and time stay bounded, each has a reason, and its neighbours do not notice."""

from __future__ import annotations

import gzip
import io
import random
from typing import TYPE_CHECKING

import pytest

from tests.command import until
from tests.faults import answers
from tests.faults.answers import MIB, ZEROS, Truth, gzip_of, told
from tests.faults.conftest import choose, histogram, only_full

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from tests.command import Command
    from tests.faults.conftest import World
    from tests.faults.proxy import Event

    Lie = Callable[[Truth, int], AsyncIterator[bytes]]

PROCESSOR = "--processor=tests.faults.processors:poison"
GROWTH_MIB = 100
"""More than the job at its start: what the options below allow, and a little."""
LIMIT = 64 * MIB
LIMITS = ("--in_memory_bytes=1MiB", "--max_read_bytes=16MiB", f"--max_object_bytes={LIMIT}")
DRAIN = ("--drain", "--idle_s=1", "--visibility_timeout_s=20")
NEIGHBOURS = [f"k{n}" for n in range(50)]
CLIENTS = ["", pytest.param("by//boto3/", marks=only_full)]
"""Prefixes of keys: one of them goes by another client."""


def grown_mib(job: Command, timeout_s: float) -> float:
    """Wait for the job's end, which has to be a good one; how much more memory than at its start it had at most."""
    peak = 0

    def ended() -> bool:
        nonlocal peak
        kib = job.peak_memory_kib()
        peak = max(peak, kib or 0)
        return kib is None

    job.wait_for_line("started:")
    first = job.peak_memory_kib() or 0
    assert until(ended, timeout_s), job
    assert job.wait() == 0, job
    return (peak - first) / 1024


def kinds(world: World) -> dict[str, str]:
    """Answer the kind of each dead letter by its key; each has a reason."""
    letters = world.dead_letters()
    assert all(letter["detail"] for letter in letters), letters
    return {letter["reference"]["key"]: letter["kind"] for letter in letters}


def noise(size: int) -> bytes:
    """Make lines that hardly compress."""
    return random.Random(size).randbytes(size)


def counts(data: bytes) -> tuple[int, int]:
    """Answer the right `line_count` and `byte_size`."""
    return data.count(b"\n") + (data[-1:] != b"\n"), len(data)


def counted(world: World, keys: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Answer what the results of `keys` say; beside them there are those of the neighbours and no other."""
    results = world.results()
    assert set(results) == {*keys, *NEIGHBOURS}
    assert all((results[key]["line_count"], results[key]["byte_size"]) == (2, len(key) + 4) for key in NEIGHBOURS)
    return {key: (results[key]["line_count"], results[key]["byte_size"]) for key in keys}


def test_bombs_and_a_long_line(world: World, figures: Callable[..., None]) -> None:
    """A thousand to one, a hundred thousand members, and a line that does not fit in memory."""
    bomb = io.BytesIO()
    with gzip.GzipFile(fileobj=bomb, mode="wb", compresslevel=9) as stream:
        for _ in range(choose(2000, 300)):
            stream.write(bytes(MIB))
    assert choose(2000, 300) * MIB / bomb.tell() > 900
    world.put("bomb", bomb.getvalue())
    world.put("members", gzip.compress(b"", 1) * 100_000)
    world.put("lines", gzip.compress(b"x" * MIB, 9) * choose(1024, 40))
    world.put_many(NEIGHBOURS)
    world.notify(["bomb"], ["members"], ["lines"], *([key] for key in NEIGHBOURS))
    limits = (*LIMITS[:2], "--max_object_bytes=128MiB")
    with world.job(*limits, PROCESSOR, *DRAIN) as job:
        grown = grown_mib(job, 120)
    assert kinds(world) == {"bomb": "too_large", "lines": "too_large"}
    assert job.lines_with("a line is longer"), job
    results = world.results()
    assert results.pop("members")["byte_size"] == 0
    assert set(results) == set(NEIGHBOURS)
    figures(
        bomb=f"{bomb.tell() / 1024:.0f} KiB to {choose(2000, 300)} MiB",
        line=f"{choose(1024, 40)} MiB",
        grown=f"{grown:.0f} MiB",
        receives=histogram(world.proxy.receives()),
    )
    assert grown < GROWTH_MIB, job


@pytest.mark.parametrize("is_allowed", [False, True])
def test_a_giant_is_whole_or_too_large(world: World, figures: Callable[..., None], is_allowed: bool) -> None:  # noqa: FBT001
    """Ten gigabytes are more than the default allows."""
    line, block = bytes(127) + b"\n", 32 * MIB
    blocks = choose(320, 8)
    size, limit = blocks * block, choose(320, 8) * block if is_allowed else choose(256, 7) * block
    world.put("giant", gzip.compress(line * (block // 128), 6) * blocks)
    world.put_many(NEIGHBOURS)
    world.notify(["giant"], *([key] for key in NEIGHBOURS))
    limits = () if choose(1, 0) and not is_allowed else ("--max_read_bytes=16MiB", f"--max_object_bytes={limit}")
    with world.job(*limits, *DRAIN) as job:
        grown = grown_mib(job, 600)
    assert kinds(world) == ({} if is_allowed else {"giant": "too_large"})
    expected = {"giant": (size // 128, size)} if is_allowed else {}
    assert counted(world, list(expected)) == expected
    assert world.left() == (0, 0)
    figures(inflated=f"{size / MIB:.0f} MiB", limit=f"{limit / MIB:.0f} MiB", grown=f"{grown:.0f} MiB")
    assert grown < GROWTH_MIB, job


def test_a_notified_size_is_not_believed(world: World, figures: Callable[..., None]) -> None:
    """Zero, too small, too large, impossible, several in one message: results are right, and nothing waits for long."""
    contents = {"tiny": b"a\nb", "small": noise(MIB // 2), "large": noise(choose(40, 6) * MIB)}
    sizes = {"-1": -1, "0": 0, "1": 1, "2**30": 2**30, "2**60": 2**60, "2**63": 2**63, "2**70": 2**70}
    expected: dict[str, tuple[int, int]] = {}
    messages: list[list[str]] = [[] for _ in contents]
    for number, (name, content) in enumerate(contents.items()):
        for size_name, size in sizes.items():
            key = f"{name} as {size_name}"
            world.put(key, gzip.compress(content, 1))
            world.sizes[key] = size
            expected[key] = counts(content)
            messages[number].append(key)
    alone = [[key] for key in expected]
    world.put_many(NEIGHBOURS)
    world.notify(*alone, *messages, *([key] for key in NEIGHBOURS))
    with world.job(*LIMITS, *DRAIN) as job:
        grown = grown_mib(job, 300)
    assert kinds(world) == {}
    assert counted(world, list(expected)) == expected
    assert world.left() == (0, 0)
    receives = histogram(world.proxy.receives())
    figures(sizes=len(sizes), objects=len(expected), receives=receives, grown=f"{grown:.0f} MiB")
    assert set(receives) == {1}, job
    assert grown < GROWTH_MIB, job


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
    assert receives == {1: len(NEIGHBOURS) + 1, 2: len(lying)}, job
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
    assert receives == {1: len(NEIGHBOURS) + len(lying)}, job
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
