"""The limit for large objects: inflate files with isal and count their lines, in one thread, and nothing else.

It prints how long that took, the CPU time, and the lines: `python -m benchmarks.isal_count bytes FILE...`. Lines are
counted by `bytes`, as one would write it, or by `numpy`, as the job does it.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import numpy as np
from isal import igzip

if TYPE_CHECKING:
    from collections.abc import Callable

PIECE_BYTES = 256 * 1024


def count(paths: list[str], lines_of: Callable[[bytes], int]) -> int:
    """Count the lines of all files together."""
    lines = 0
    for path in paths:
        with igzip.open(path, "rb") as file:
            while piece := file.read(PIECE_BYTES):
                lines += lines_of(piece)
    return lines


def by_bytes(piece: bytes) -> int:
    """Count with `bytes.count`."""
    return piece.count(b"\n")


def by_numpy(piece: bytes) -> int:
    """Count with numpy."""
    return int(np.count_nonzero(np.frombuffer(piece, np.uint8) == ord("\n")))


WAYS = {"bytes": by_bytes, "numpy": by_numpy}

if __name__ == "__main__":
    began, began_cpu = time.perf_counter(), time.process_time()
    counted = count(sys.argv[2:], WAYS[sys.argv[1]])
    print(time.perf_counter() - began, time.process_time() - began_cpu, counted)
