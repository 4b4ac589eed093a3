"""What each runner is given, and what it is not trusted with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from apache_beam.options.pipeline_options import StandardOptions

from pipeline import dataflow
from pipeline.options import RunSettings, Settings
from pipeline.runners import plan
from tests.builders import QUEUE_URL
from transforms.failures import UserError
from transforms.settings import FetchSettings, ReceiveSettings, WriteSettings

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

ON_S3 = WriteSettings(output="s3://b/p", dead_letters="s3://b/p/_dead_letters")
CHECKPOINTS = "--checkpointing_interval=9000"


def _settings(runner: str, *, drain: bool = False, receivers: int = 1, shared_output: bool = False) -> Settings:
    return Settings(
        ReceiveSettings(QUEUE_URL, receivers=receivers, idle_s=20 if drain else None),
        write=ON_S3,
        run=RunSettings(runner=runner, drain=drain, shared_output=shared_output),
        is_bounded=drain,
    )


def _locally(settings: Settings) -> Settings:
    return replace(settings, write=WriteSettings())


def _refusal(settings: Settings, *beam_args: str) -> str:
    with pytest.raises(UserError) as refused:
        plan(settings, beam_args)
    return str(refused.value)


def _passed_on(options: PipelineOptions) -> dict[str, object]:
    """Everything that a job server is sent."""
    return dict(options.get_all_options(drop_default=True, retain_unknown_options=True))


# ── this process


@pytest.mark.parametrize("runner", ["DirectRunner", "FnApiRunner"])
def test_direct_runner_is_the_fn_api_runner_in_this_process(runner: str) -> None:
    """Beam's own choice depends on whether a download works."""
    made = plan(_settings(runner), ["--streaming"])

    assert "FnApiRunner" == made.options.view_as(StandardOptions).runner
    assert made.workers_here
    assert _settings(runner) == made.settings


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        (
            "--direct_num_workers=2",
            ("--direct_num_workers is 2; this job allows 1, because Beam's in-process runner loses messages otherwise"),
        ),
        (
            "--direct_running_mode=multi_processing",
            (
                "--direct_running_mode is multi_processing; this job allows in_memory, because Beam's in-process "
                "runner loses messages otherwise"
            ),
        ),
        (
            "--direct_runner_bundle_repeat=1",
            "--direct_runner_bundle_repeat is 1; this job allows 0, because repeats delete messages",
        ),
    ],
)
def test_direct_runner_refuses_what_would_lose_data(argument: str, sentence: str) -> None:
    """Beam itself would go on in silence."""
    assert sentence == _refusal(_settings("DirectRunner"), argument)


@pytest.mark.parametrize("runner", ["DirectRunner", "PrismRunner"])
def test_one_process_has_one_receiver(runner: str) -> None:
    """Idle waits of several would add up."""
    expected = f"--receivers is 4; {runner} allows 1, because several would take turns in one thread"

    assert expected == _refusal(_settings(runner, receivers=4))


def test_prism_defers_every_five_seconds() -> None:
    """In this process."""
    made = plan(_settings("PrismRunner"), [])

    assert (5.0, True) == (made.settings.receive.budget_s, made.workers_here)


def test_prism_is_started_out_of_the_reach_of_a_ctrl_c() -> None:
    """By our own form of Beam's runner."""
    assert "pipeline.prism.PrismRunner" == plan(_settings("PrismRunner"), []).options.view_as(StandardOptions).runner


def test_a_prism_that_is_not_there_is_refused() -> None:
    """Beam would fail with a traceback."""
    expected = "--prism_location is nowhere, but there is no such file; it is Prism's binary, or its zip"

    assert expected == _refusal(_settings("PrismRunner"), "--prism_location=nowhere")


# ── clusters


def test_beams_own_job_server_needs_no_checkpoints_and_ends_with_the_job() -> None:
    """It is Beam's in-process runner behind the API of a cluster: the workers alone are elsewhere."""
    made = plan(_settings("PortableRunner"), ["--job_endpoint=embed", "--environment_type=EXTERNAL"])

    assert (None, False, True) == (made.settings.receive.budget_s, made.workers_here, made.job_here)
    assert not plan(_settings("PortableRunner"), [CHECKPOINTS]).job_here
    assert "--receivers is 4; PortableRunner allows 1, because several would take turns in one thread" == _refusal(
        _settings("PortableRunner", receivers=4), "--job_endpoint=embed"
    )


@pytest.mark.parametrize("runner", ["FlinkRunner", "PortableRunner"])
def test_flink_needs_checkpoints(runner: str) -> None:
    """Without them one exception ends the job."""
    expected = (
        f"{runner} needs --checkpointing_interval in milliseconds, for example --checkpointing_interval=10000; "
        "without checkpoints the first error ends the job for good"
    )

    assert expected == _refusal(_settings(runner))


def test_a_checkpointing_interval_is_a_time() -> None:
    """Zero turns checkpoints off."""
    expected = "--checkpointing_interval is 0; Flink allows 1 or more"

    assert expected == _refusal(_settings("FlinkRunner"), "--checkpointing_interval=0")


def test_flink_is_given_what_a_stream_needs() -> None:
    """And what the user said."""
    options = plan(_settings("FlinkRunner"), [CHECKPOINTS, "--parallelism=4"]).options

    assert {
        "runner": "FlinkRunner",
        "streaming": True,
        "checkpointing_interval": "9000",
        "max_bundle_time_mills": "100",
        "parallelism": 4,
    } == _passed_on(options)


def test_a_drain_on_flink_ends_when_nothing_is_left() -> None:
    """Flink itself would keep running."""
    options = plan(_settings("FlinkRunner", drain=True), [CHECKPOINTS]).options

    assert "2000" == _passed_on(options)["shutdown_sources_after_idle_ms"]


def test_what_the_user_sets_for_flink_stays() -> None:
    """Nothing is set twice."""
    given = [CHECKPOINTS, "--max_bundle_time_mills=20", "--shutdown_sources_after_idle_ms=7", "--streaming"]

    passed_on = _passed_on(plan(_settings("FlinkRunner", drain=True), given).options)

    assert ("20", "7") == (passed_on["max_bundle_time_mills"], passed_on["shutdown_sources_after_idle_ms"])


@pytest.mark.parametrize(("interval_ms", "budget_s"), [(9000, 3.0), (60000, 10.0)])
def test_a_call_of_the_source_lasts_a_third_of_a_checkpoint_at_most(interval_ms: int, budget_s: float) -> None:
    """A checkpoint waits for its end; ten seconds are enough."""
    made = plan(_settings("FlinkRunner"), [f"--checkpointing_interval={interval_ms}"])

    assert budget_s == made.settings.receive.budget_s


def test_spark_does_not_run_without_end() -> None:
    """It would run one batch that never ends."""
    expected = (
        "SparkRunner cannot read a queue without end, because Beam has no such source for Spark; "
        "add --drain or --replay, or use FlinkRunner"
    )

    assert expected == _refusal(_settings("SparkRunner"))
    assert expected == _refusal(_settings("SparkRunner"), "--job_endpoint=embed")
    assert plan(_settings("SparkRunner", drain=True), []).settings.receive.budget_s is None


@pytest.mark.parametrize("runner", ["FlinkRunner", "PortableRunner", "SparkRunner"])
def test_a_cluster_does_not_write_to_a_directory_of_some_worker(runner: str) -> None:
    """Nobody would find it."""
    arguments = [CHECKPOINTS, "--environment_type=DOCKER"]
    expected = (
        "--output is output, a directory of whichever worker writes; use s3://…, or --shared_output if all workers "
        "see the same directory"
    )

    assert expected == _refusal(_locally(_settings(runner, drain=True)), *arguments)
    assert not plan(_locally(_settings(runner, drain=True, shared_output=True)), arguments).workers_here


@pytest.mark.parametrize("runner", ["FlinkRunner", "PortableRunner", "SparkRunner"])
def test_a_cluster_does_not_read_files_of_this_machine(runner: str) -> None:
    """Unless every worker sees them, or is this process."""
    arguments = [CHECKPOINTS, "--environment_type=DOCKER"]
    settings = _settings(runner, drain=True)
    replay = replace(settings, receive=replace(settings.receive, replay="a/*.jsonl"))
    shared = replace(replay, run=replace(replay.run, shared_output=True))
    expected = (
        "--replay is a/*.jsonl, files of this machine, and the workers are others; --shared_output says that all "
        "workers see the same files"
    )

    assert expected == _refusal(replay, *arguments)
    assert _refusal(replace(settings, fetch=FetchSettings(objects="a")), *arguments).startswith("--objects is a, files")
    assert not plan(shared, arguments).workers_here
    assert plan(replay, [CHECKPOINTS, "--environment_type=LOOPBACK"]).workers_here


@pytest.mark.parametrize(
    ("runner", "arguments", "workers_here"),
    [
        ("FlinkRunner", [], True),
        ("FlinkRunner", ["--flink_master=host:8081"], False),
        ("FlinkRunner", ["--flink_master=host:8081", "--environment_type=loopback"], True),
        ("PortableRunner", ["--job_endpoint=host:8099"], False),
        ("PortableRunner", ["--environment_type=LOOPBACK"], True),
        ("SparkRunner", ["--spark_master_url=local[2]"], True),
        ("SparkRunner", ["--spark_master_url=spark://host:7077"], False),
    ],
)
def test_it_is_known_where_the_workers_are(runner: str, arguments: list[str], workers_here: bool) -> None:  # noqa: FBT001
    """As Beam decides it."""
    assert workers_here == plan(_settings(runner, drain=True), [CHECKPOINTS, *arguments]).workers_here


# ── Dataflow

ON_GOOGLE = {
    "project": "--project=acme",
    "region": "--region=europe-west3",
    "temp_location": "--temp_location=gs://acme-dataflow/temp",
    "sdk_container_image": "--sdk_container_image=europe-docker.pkg.dev/acme/jobs/sqs-pipeline:1",
}


@pytest.fixture
def _google(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beam's parts for Google, which the tests do not install."""
    monkeypatch.setattr(dataflow, "google_parts_are_installed", lambda: True)


@pytest.mark.usefixtures("_google")
def test_dataflow_is_given_a_stream() -> None:
    """A call of the source lasts ten seconds, as on Flink at most."""
    made = plan(_settings("DataflowRunner", receivers=8), list(ON_GOOGLE.values()))

    passed_on = _passed_on(made.options)
    assert ("DataflowRunner", True, "acme") == (passed_on["runner"], passed_on["streaming"], passed_on["project"])
    assert (10.0, False) == (made.settings.receive.budget_s, made.workers_here)


@pytest.mark.usefixtures("_google")
@pytest.mark.parametrize(
    ("without", "sentence"),
    [
        ("project", "DataflowRunner needs --project, --region, --temp_location; --project not given"),
        ("region", "DataflowRunner needs --project, --region, --temp_location; --region not given"),
        ("temp_location", "DataflowRunner needs --project, --region, --temp_location; --temp_location not given"),
        (
            "sdk_container_image",
            (
                "DataflowRunner needs --sdk_container_image, since its workers have neither this job nor your function "
                "otherwise; docs/dataflow.md shows how to make that image"
            ),
        ),
    ],
)
def test_dataflow_needs_to_be_told_where_it_runs_and_what(without: str, sentence: str) -> None:
    """Before anything is uploaded."""
    arguments = [argument for name, argument in ON_GOOGLE.items() if name != without]

    assert sentence == _refusal(_settings("DataflowRunner"), *arguments)


@pytest.mark.usefixtures("_google")
def test_dataflow_refuses_what_ends_what_writes_to_a_directory_and_what_nobody_knows() -> None:
    """Its machines take minutes to come, so a job that ends is better off without them."""
    arguments = ON_GOOGLE.values()

    assert "DataflowRunner runs this job without end, as a stream; take DirectRunner for a job that ends" == _refusal(
        _settings("DataflowRunner", drain=True), *arguments
    )
    assert "--output is output, a directory of whichever worker writes" in _refusal(
        _locally(_settings("DataflowRunner")), *arguments
    )
    assert "--max_num_worker is not an option; did you mean --max_num_workers?" == _refusal(
        _settings("DataflowRunner"), *arguments, "--max_num_worker=3"
    )


def test_dataflow_needs_beams_parts_for_google() -> None:
    """They are large, so they are an extra."""
    expected = "DataflowRunner needs Beam's parts for Google: pip install 'sqs-pipeline[dataflow]'"

    assert expected == _refusal(_settings("DataflowRunner"), *ON_GOOGLE.values())
