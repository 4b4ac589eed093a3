"""`python -m benchmarks`, which is `make bench`."""

import sys

from benchmarks.small_objects import main

if __name__ == "__main__":
    sys.exit(main())
