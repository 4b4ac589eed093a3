"""Beam's own arguments, and those of nobody."""

from __future__ import annotations

import pytest

from pipeline.beam_arguments import read_beam
from transforms.failures import UserError


def _refusal(argument: str, *, passes_on: bool) -> str:
    with pytest.raises(UserError) as refused:
        read_beam([argument], passes_on=passes_on)
    return str(refused.value)


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ("--wait_time=3", "--wait_time is not an option; did you mean --wait_time_s?"),
        ("--direct_num_worker=1", "--direct_num_worker is not an option; did you mean --direct_num_workers?"),
        ("--zzz", "--zzz is not an option; --help lists the options"),
        ("--direct_num_workers=x", "--direct_num_workers: invalid int value: 'x'; it is an option of Beam"),
    ],
)
def test_what_nobody_knows_is_refused(argument: str, sentence: str) -> None:
    """Beam itself would go on in silence."""
    assert sentence == _refusal(argument, passes_on=False)


def test_a_job_server_may_know_more_than_beam_does_here() -> None:
    """But not ours with a letter missing."""
    arguments = [
        *("--finish_bundle_before_checkpointing", "--max_parallelism=8", "--max_bundle_size=10", "--object_reuse"),
        *("--state_backend=rocksdb", "--number_of_execution_retries=2", "--min_pause_between_checkpoints=1"),
        *("--execution_retry_delay=1", "--max_records_per_batch=1", "--checkpoint_timeout_millis=1", "--bundle_size=1"),
    ]

    assert 9000 == read_beam(["--checkpointing_interval=9000", *arguments], passes_on=True).checkpointing_interval
    assert "--max_mesages is not an option; did you mean --max_messages?" == _refusal("--max_mesages=3", passes_on=True)


def test_what_beam_knows_is_read_as_beam_reads_it() -> None:
    """With its defaults for what was not said."""
    beam = read_beam(["--direct_num_workers=2"], passes_on=False)

    assert (2, "in_memory") == (beam.direct_num_workers, beam.direct_running_mode)
