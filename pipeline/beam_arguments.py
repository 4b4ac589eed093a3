"""The arguments that are Beam's own: read as Beam reads them, and refused where they are nobody's."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from apache_beam.options.pipeline_options import PipelineOptions, _BeamArgumentParser

from pipeline.option_sources import closest, unknown
from pipeline.option_table import OPTIONS
from transforms.failures import UserError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

_OURS = [option.flag for option in OPTIONS]
_OF_JOB_SERVERS = ("checkpointing_interval", "max_bundle_time_mills", "shutdown_sources_after_idle_ms")
"""Options that Beam learns from the job server, and `runners.py` looks at."""


def read_beam(beam_args: Sequence[str], *, passes_on: bool) -> Namespace:
    """Answer what Beam knows; refuse what nobody knows, unless the runner `passes_on` to a job server that may.

    Raises `UserError`.
    """
    parser = _Parser(allow_abbrev=False, add_help=False)
    for options in {str(options): options for options in PipelineOptions.__subclasses__()}.values():
        options._add_argparse_args(parser)  # noqa: SLF001 - how Beam's own parser does it; it only warns
    if passes_on:
        for name in _OF_JOB_SERVERS:
            parser.add_argument(f"--{name}", type=int)
    beam: Namespace
    beam, rest = parser.parse_known_args(list(beam_args))
    if rest and passes_on:
        _refuse_misspelt(rest)
    elif rest:
        name = rest[0].partition("=")[0]
        raise unknown(name, closest(name, [*_OURS, *(f"--{known}" for known in vars(beam))]))
    return beam


def _refuse_misspelt(arguments: Sequence[str]) -> None:
    for argument in arguments:
        name = argument.partition("=")[0]
        meant = closest(name, _OURS, cutoff=0.85)
        if meant:
            raise unknown(name, meant)


class _Parser(_BeamArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message.removeprefix('argument ')}; it is an option of Beam")
