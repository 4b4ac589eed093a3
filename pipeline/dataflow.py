"""What Google Cloud Dataflow needs of a job, told before anything is uploaded: Beam would tell it later, or never."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from transforms.failures import UserError

if TYPE_CHECKING:
    from argparse import Namespace

RUNNER = "DataflowRunner"
NEEDED = ("project", "region", "temp_location")


def check(beam: Namespace, *, is_bounded: bool) -> None:
    """Refuse what Dataflow could not run, by Beam's options. Raises `UserError`."""
    if is_bounded:
        raise UserError(f"{RUNNER} runs this job without end, as a stream; take DirectRunner for a job that ends")
    missing = [f"--{name}" for name in NEEDED if not getattr(beam, name)]
    if missing:
        needed = ", ".join(f"--{name}" for name in NEEDED)
        raise UserError(f"{RUNNER} needs {needed}; {', '.join(missing)} not given")
    if not beam.sdk_container_image:
        raise UserError(
            f"{RUNNER} needs --sdk_container_image, since its workers have neither this job nor your function "
            "otherwise; docs/dataflow.md shows how to make that image"
        )
    if not google_parts_are_installed():
        raise UserError(f"{RUNNER} needs Beam's parts for Google: pip install 'sqs-pipeline[dataflow]'")


def google_parts_are_installed() -> bool:
    """Whether Beam was installed with its extra `gcp`."""
    try:
        return find_spec("google.cloud.dataflow") is not None
    except ModuleNotFoundError:  # not even its parents
        return False
