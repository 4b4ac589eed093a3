"""Leases: an object slower than the visibility timeout is received once; a lost lease is noticed."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

from tests.command import until
from tests.faults.conftest import choose, histogram, only_full

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.conftest import World
    from tests.faults.proxy import Event


def test_a_slow_object_is_received_once(world: World, figures: Callable[..., None]) -> None:
    """The heartbeat extends its lease for as long as its body takes."""
    seconds, visibility_s = choose(12, 8), choose(5, 4)
    world.put_many(["slow", "quick"])
    world.notify(["slow"], ["quick"])
    world.proxy.add("drip", lambda e: e.key == "slow", seconds=seconds)
    with world.job(f"--visibility_timeout_s={visibility_s}", "--drain", "--idle_s=1") as job:
        assert job.wait() == 0, job
    world.assert_right(["slow", "quick"])
    extensions = sum(e.operation == "ChangeMessageVisibilityBatch" for e in world.proxy.events)
    receives = world.proxy.receives()
    assert set(receives.values()) == {1}, job
    assert world.left() == (0, 0)
    figures(object_takes=seconds, visibility=visibility_s, receives=histogram(receives), extensions=extensions)


@only_full
def test_a_lost_lease_is_noticed_and_counted(world: World, figures: Callable[..., None]) -> None:
    """SQS takes no extension until the server has expired the lease, and delivers the message again."""
    world.put_many(["slow"])
    world.notify(["slow"])
    world.proxy.add("drip", lambda e: e.key == "slow", seconds=5, times=1)
    with (
        world.proxy.fault("503", lambda e: e.operation == "ChangeMessageVisibilityBatch"),
        world.job("--visibility_timeout_s=2", "--max_in_flight=1", "--drain", "--idle_s=1") as job,
    ):
        assert job.wait() == 0, job
    assert job.lines_with("lease lost"), job
    assert job.lines_with("deleted after its lease ended"), job
    world.assert_right(["slow"])
    assert world.left() == (0, 0)
    figures(lost=len(job.lines_with("lease lost")), late_deletes=len(job.lines_with("after its lease ended")))


def test_lost_answers_of_sqs_are_harmless(world: World, figures: Callable[..., None]) -> None:
    """SQS acted and nobody heard: of a delete, of an extension, and of a receive."""
    keys = ["slow", *(f"k{n}" for n in range(30))]
    world.put_many(keys)
    world.notify(*([key] for key in keys))
    world.proxy.add("drip", lambda e: e.key == "slow", seconds=6)
    operations = ("DeleteMessageBatch", "ReceiveMessage", "ChangeMessageVisibilityBatch")
    lost = [world.proxy.add("lose the answer", _is(operation), times=2) for operation in operations]
    with world.job("--visibility_timeout_s=4", "--drain", "--idle_s=1") as job:
        assert job.wait(90) == 0, job
    assert [fault.hits for fault in lost] == [2, 2, 2], job
    world.assert_right(keys)
    world.check_order()
    assert world.left() == (0, 0), job
    figures(answers_lost=6, receives=histogram(world.proxy.receives()), summary=job.log[-1].partition("stopped: ")[2])


def _is(operation: str) -> Callable[[Event], bool]:
    return lambda event: event.operation == operation


@only_full
def test_a_return_keeps_its_delay(world: World, figures: Callable[..., None]) -> None:
    """No extension comes after the return of the same receipt."""
    keys = [f"k{n}" for n in range(20)]
    world.put_many(keys)
    world.notify(*([key] for key in keys))
    (world.directory / "late.py").write_text(
        "import time\ndef fail(content):\n    time.sleep(0.15)\n    raise ValueError('no')\n"
    )
    options = ("--processor=late:fail", "--visibility_timeout_s=2", "--retry_base_s=30", "--retry_max_s=30")
    with world.job(*options) as job:
        assert until(lambda: len(job.lines_with("returned message")) > 4 and world.left() == (0, 20)), job
        started = time.monotonic()
        job.signal(signal.SIGTERM)
        assert job.wait() == 0, job
    last: dict[str, int] = {}
    extended = 0
    for event in world.proxy.events:
        for handle, delay_s in zip(event.handles, event.delays_s, strict=True):
            if event.operation == "ChangeMessageVisibilityBatch":
                extended += delay_s == 2
                last[handle] = delay_s
    returned = [delay_s for delay_s in last.values() if delay_s > 2]
    assert len(returned) > 4
    assert all(delay_s > 20 for delay_s in last.values() if delay_s > 2)
    figures(returned=len(returned), extensions=extended, stop=f"{time.monotonic() - started:.1f} s")
