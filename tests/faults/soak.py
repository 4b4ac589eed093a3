"""`python -m tests.faults.soak --minutes=10`: the job at full speed while S3, the output and SQS break again and again.

At the end nothing may have grown, each object has one right result or dead letter, no message was deleted before, and
the job's own account is exact. It prints a table, and leaves nothing behind.
"""

from __future__ import annotations

import argparse
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tests.command import Command, until
from tests.faults.conftest import World
from tests.faults.log_lines import balance
from tests.faults.proxy import Proxy
from tests.faults.soak_ledger import Ledger
from tests.faults.soak_load import Chaos, Sample, Supply
from tests.moto_server import MotoServer

if TYPE_CHECKING:
    from collections.abc import Callable

SAMPLE_S = 2.0
WARM_UP = 0.25
"""Of the time: pools and connections are made, caches filled."""
OPTIONS = (
    "--visibility_timeout_s=10",
    "--retry_base_s=1",
    "--retry_max_s=5",
    "--give_up_after=500",  # whatever the faults do, only objects are set aside
    "--in_memory_bytes=1MiB",
)
ALLOWED: dict[str, Callable[[float], float]] = {
    "memory_mib": lambda before: max(before * 1.10, before + 8),
    "threads": lambda before: before + 2,
    "files": lambda before: before + 80,  # pools of connections empty and fill with the outages
}
"""How large the last third's median may be, given the first third's."""


def main() -> int:
    """Answer 0 if all held."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    asked = parser.parse_args()
    _say(f"seed {asked.seed}, {asked.minutes:g} minutes")
    server = MotoServer()
    proxy = Proxy(server.url)
    try:
        with tempfile.TemporaryDirectory() as directory:
            mistakes = _soak(World(server.url, proxy, Path(directory)), asked.minutes * 60, asked.seed)
    finally:
        proxy.stop()
        server.stop()
    for mistake in mistakes[:20]:
        _say(f"NOT SO: {mistake}")
    _say("all as promised" if not mistakes else f"{len(mistakes)} promises broken")
    return 1 if mistakes else 0


def _soak(world: World, seconds: float, seed: int) -> list[str]:
    ledger = Ledger(world)
    world.proxy.watch = ledger.watch
    supply, chaos = Supply(world, ledger, seed), Chaos(world, seed)
    with world.job(*OPTIONS) as job:
        samples = _load(job, supply, chaos, ledger, seconds)
        job.signal(signal.SIGTERM)
        mistakes = [] if job.wait(60) == 0 else [f"the job did not end well:\n{job}"]
    account = balance(job.log)
    with world.job(*OPTIONS, "--drain", "--idle_s=12") as rest:
        mistakes += [] if rest.wait(300) == 0 else [f"the drain did not end well:\n{rest}"]
    after = balance(rest.log)
    supply.clear(older_than_s=0)
    done = {name: account[name] + after[name] for name in account}
    settled = done["stored"] + done["ignored"] + done["set aside"]
    _table(samples, account, ledger, chaos, seconds)
    mistakes += ledger.mistakes
    mistakes += _compared(samples)
    mistakes += [] if world.left() == (0, 0) else [f"{world.left()} messages are left"]
    mistakes += [] if ledger.held == 0 else [f"{ledger.held} things are stored or held of no message"]
    mistakes += [] if not world.stored() else ["there are results of no message"]
    mistakes += [] if ledger.counts["deleted"] == supply.sent else [f"{supply.sent} sent, {ledger.counts} deleted"]
    mistakes += [] if settled >= supply.sent else [f"{supply.sent} sent, {done} settled"]
    return mistakes


def _load(job: Command, supply: Supply, chaos: Chaos, ledger: Ledger, seconds: float) -> list[Sample]:
    """Keep the job busy, and sample it."""
    ends_at, samples = time.monotonic() + seconds, list[Sample]()

    def is_over() -> bool:
        supply.fill()
        supply.clear(older_than_s=60)
        if not samples or time.monotonic() - samples[-1].at >= SAMPLE_S:
            samples.append(Sample.of(job.pid, ledger))
        return time.monotonic() > ends_at

    job.wait_for_line("started:")
    chaos.start()
    try:
        until(is_over, seconds + 60)
    finally:
        chaos.stop()
    return samples


def _thirds(samples: list[Sample], name: str) -> tuple[float, float]:
    """Answer the medians of the first third after the warm-up, and of the last."""
    values = [getattr(sample, name) for sample in samples[int(len(samples) * WARM_UP) :]]
    third = max(len(values) // 3, 1)
    return statistics.median(values[:third]), statistics.median(values[-third:])


def _compared(samples: list[Sample]) -> list[str]:
    grown = []
    for name, allowed in ALLOWED.items():
        before, after = _thirds(samples, name)
        if after > allowed(before):
            grown.append(f"{name} has grown from {before:.0f} to {after:.0f}")
    return grown


def _table(samples: list[Sample], account: dict[str, int], ledger: Ledger, chaos: Chaos, seconds: float) -> None:
    _say(f"{'':12} {'first third':>12} {'last third':>12} {'largest':>12}")
    for name in (*ALLOWED, "ledger"):
        before, after = _thirds(samples, name)
        _say(f"{name:12} {before:12.1f} {after:12.1f} {max(getattr(s, name) for s in samples):12.1f}")
    _say(f"account of the job: {account}, {account['received'] / seconds:.0f} messages a second")
    _say(f"seen by the proxy: {dict(sorted(ledger.counts.items()))}")
    _say(f"{len(chaos.told)} faults: {dict(sorted(Counter(chaos.told).items()))}")


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - it is for people


if __name__ == "__main__":
    sys.exit(main())
