"""One object of gigabytes through the job (`python -m benchmarks.large_object`): memory must not grow with it."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.payloads import large_body
from benchmarks.processes import ContenderError, Measured, measure
from benchmarks.servers import stand_in


def main() -> int:
    """Measure and print; answer the exit code: 0 if the result is right and memory stayed below the limit."""
    arguments = _arguments()
    body = large_body(int(arguments.gigabytes * 1e9))
    print(f"one object of {body.size / 1e6:,.0f} MB, {body.counts[1] / 1e9:.2f} GB inflated", flush=True)
    try:
        measured = _run(body.counts, arguments)
    except ContenderError as error:
        print(f"the job failed: {error}", file=sys.stderr)
        return 1
    is_within = measured.peak_mb <= arguments.limit_mb
    print(
        f"the job: {measured.busy_s:.1f} s, {body.counts[1] / measured.busy_s / 1e6:,.0f} MB/s inflated, "
        f"{measured.whole_cpu_s:.1f} CPU s, peak {measured.peak_mb:.0f} MB "
        f"({'within' if is_within else 'OVER'} the limit of {arguments.limit_mb} MB)"
    )
    return 0 if is_within else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.large_object", description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=2, help="inflated size (default 2)")
    parser.add_argument("--limit_mb", type=int, default=450, help="largest resident size, in MiB (default 450)")
    parser.add_argument("--timeout_s", type=float, default=900, help="longest run (default 900)")
    return parser.parse_args()


def _run(expected: tuple[int, int], arguments: argparse.Namespace) -> Measured:
    options = ("--objects=0", f"--large_bytes={int(arguments.gigabytes * 1e9)}")
    with tempfile.TemporaryDirectory(prefix="sqs-pipeline-bench-") as directory, stand_in(*options) as server:
        output = Path(directory) / "output"
        job = [
            sys.executable,
            "-m",
            "pipeline",
            "--runner=DirectRunner",
            "--pipelines=0",
            "--max_messages=1",
            f"--output={output}",
        ]
        measured = measure(server, job, Path(directory) / "log", arguments.timeout_s)
        results = [json.loads(path.read_text(encoding="utf-8")) for path in output.rglob("*.json")]
    counts = [(each.get("line_count"), each.get("byte_size")) for each in results]
    if counts != [expected]:
        raise ContenderError(f"expected one result with {expected} (lines, bytes), found {counts}")
    return measured


if __name__ == "__main__":
    sys.exit(main())
