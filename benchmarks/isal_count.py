"""The limit for large objects: inflate files with isal and count their lines, in one thread, and nothing else.

It prints how long that took, the CPU time, and the lines: `python -m benchmarks.isal_count FILE...`.
"""

from __future__ import annotations

import sys
import time

from isal import igzip

PIECE_BYTES = 256 * 1024


def count(paths: list[str]) -> int:
    """Count the lines of all files together."""
    lines = 0
    for path in paths:
        with igzip.open(path, "rb") as file:
            while piece := file.read(PIECE_BYTES):
                lines += piece.count(b"\n")
    return lines


if __name__ == "__main__":
    began, began_cpu = time.perf_counter(), time.process_time()
    counted = count(sys.argv[1:])
    print(time.perf_counter() - began, time.process_time() - began_cpu, counted)
