"""Prism as this job runs it: Beam's runner for development and CI, which a Ctrl-C for the job does not reach.

Beam's own start of it would stop Prism at the first Ctrl-C, while what is in hand is still under way, in two ways: by a
handler of its own, and because a terminal signals every process of a group.
"""

from __future__ import annotations

import atexit
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apache_beam.runners.portability import prism_runner

from transforms.failures import UserError

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

RUNNER = f"{__name__}.PrismRunner"
"""What Beam's `--runner` takes for it."""

_IN_A_GROUP_OF_ITS_OWN = """
import ctypes, os, sys
os.setpgid(0, 0)
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG: killed when the thread ends that started it, the job's main one
os.execv(sys.argv[1], sys.argv[1:])
"""


def check_location(location: str | None) -> None:
    """Refuse a `--prism_location` that is a path of nothing; URLs are Beam's to judge. Raises `UserError`."""
    if location and "://" not in location and not Path(location).is_file():
        raise UserError(f"--prism_location is {location}, but there is no such file; it is Prism's binary, or its zip")


class PrismRunner(prism_runner.PrismRunner):
    """Beam's, with another start and end of the process."""

    def default_job_server(self, options: PipelineOptions) -> _PrismServer:
        """Stopped at the end of this process, however that comes about."""
        server = _PrismServer(options)
        atexit.register(server.stop)
        return server


class _PrismServer(prism_runner.PrismJobServer):
    def subprocess_cmd_and_endpoint(self) -> tuple[list[Any], str]:
        command, endpoint = super().subprocess_cmd_and_endpoint()
        return [sys.executable, "-c", _IN_A_GROUP_OF_ITS_OWN, *command], endpoint

    def stop(self) -> None:
        """Do nothing where the start has failed: Beam's own would hide why."""
        if self._server is not None:
            super().stop()
