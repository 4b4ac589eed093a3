"""What the user says becomes settings, or one sentence."""

from __future__ import annotations

import dataclasses
import pickle
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from pipeline.option_table import OPTIONS
from pipeline.options import RunSettings, Settings, options_markdown_table, parse
from transforms import aws
from transforms.failures import DEFAULT_FATES, FailureKind, Fate, UserError
from transforms.settings import MIB, ReceiveSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

QUEUE_URL = "http://localhost:5000/123456789012/notifications"


@pytest.fixture(autouse=True)
def _no_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    """The developer's own AWS profile says nothing here."""
    monkeypatch.setattr(aws, "profile_region", lambda: None)


def _parse(*argv: str, **environ: str) -> Settings:
    settings, rest = parse(argv, {"SQS_QUEUE_URL": QUEUE_URL} | environ)

    assert [] == rest

    return settings


def _refusal(*argv: str, environ: Mapping[str, str] | None = None, **more: str) -> str:
    with pytest.raises(UserError) as refused:
        parse(argv, {"SQS_QUEUE_URL": QUEUE_URL, **more} if environ is None else environ)
    return str(refused.value)


def test_the_defaults_of_the_table_are_those_of_the_steps() -> None:
    """A step that is used alone behaves as in the job."""
    assert Settings(ReceiveSettings(QUEUE_URL)) == _parse()


def test_every_target_of_the_table_is_a_field_and_no_field_has_two_options() -> None:
    """A misspelt target would be found at every start, an overwritten one never."""
    groups = {field.name: field for field in dataclasses.fields(Settings)}
    targets = [target for option in OPTIONS for target in option.targets]

    assert {target.partition(".")[0] for target in targets} <= set(groups)
    assert len(targets) == len(set(targets))


def test_an_option_reaches_every_step_that_needs_it() -> None:
    """One option, several fields."""
    settings = _parse("--max_processing_s=60", "--give_up_after=3")

    assert (60, 60) == (settings.leases.max_processing_s, settings.process.max_processing_s)
    assert (3, 3) == (settings.receive.give_up_after, settings.write.give_up_after)


# ── sources


def test_the_command_line_wins_over_the_environment() -> None:
    """Also where the option is repeatable: the two do not add up."""
    settings = _parse(
        "--wait_time_s=5", "--buckets=a", SQS_PIPELINE_WAIT_TIME_S="7", SQS_PIPELINE_BUCKETS="b", SQS_PIPELINE_FSYNC="1"
    )

    assert (5, ("a",), True) == (settings.receive.wait_time_s, settings.receive.buckets, settings.write.fsync)


def test_an_empty_variable_is_an_unset_one() -> None:
    """Compose files and unit files set what they leave open to nothing; secrets end in a line end."""
    settings = _parse(SQS_PIPELINE_WAIT_TIME_S="", SQS_PIPELINE_TYPO="", SQS_PIPELINE_GIVE_UP_AFTER="3\n")

    assert (10, 3) == (settings.receive.wait_time_s, settings.receive.give_up_after)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", True), ("true", True), ("YES", True), ("on", True), ("0", False), ("False", False), ("no", False)],
)
def test_a_flag_is_written_as_people_write_it(text: str, value: bool) -> None:  # noqa: FBT001
    """In the environment and, to win over it, on the command line."""
    assert value == _parse(SQS_PIPELINE_DRAIN=text).run.drain
    assert value == _parse(f"--drain={text}", SQS_PIPELINE_DRAIN="true").run.drain


def test_a_flag_alone_is_true() -> None:
    """As usual."""
    assert _parse("--reprocess").fetch.reprocess


def test_repeatable_options_are_repeated_or_separated_by_commas() -> None:
    """A comma in a glob of the command line is a comma."""
    said = _parse("--buckets=a, b", "--buckets=c", "--key_glob=x,y*", "--key_glob=*.gz").receive
    environment = _parse(SQS_PIPELINE_KEY_GLOB="x*,y*").receive

    assert ("a", "b", "c") == said.buckets
    assert ("x,y*", "*.gz") == said.key_globs
    assert ("x*", "y*") == environment.key_globs


def test_what_is_not_ours_is_left_for_beam_in_its_order() -> None:
    """`runners.py` knows which of it Beam knows."""
    _, rest = parse(["--parallelism", "4", "--drain", "--streaming"], {"SQS_QUEUE_URL": QUEUE_URL})

    assert ["--parallelism", "4", "--streaming"] == rest


def test_an_abbreviation_is_not_an_option() -> None:
    """It would change its meaning when another option is added."""
    _, rest = parse(["--wait_time=5"], {"SQS_QUEUE_URL": QUEUE_URL})

    assert ["--wait_time=5"] == rest


def test_variables_of_kubernetes_are_not_options() -> None:
    """It sets them for services with names like sqs-pipeline and sqs-pipeline-metrics."""
    settings = _parse(
        SQS_PIPELINE_SERVICE_HOST="10.0.0.1",
        SQS_PIPELINE_SERVICE_PORT_HTTP="80",
        SQS_PIPELINE_PORT="tcp://10.0.0.1:80",
        SQS_PIPELINE_METRICS_PORT_80_TCP_ADDR="10.0.0.1",
    )

    assert _parse() == settings


@pytest.mark.parametrize(
    ("text", "value"),
    [("65536", 65536), ("4MiB", 4 * MIB), ("256MB", 256_000_000), ("1.5gib", 1536 * MIB), ("1 kB", 1000)],
)
def test_sizes_are_written_as_people_write_them(text: str, value: int) -> None:
    """Powers of 1000 and of 1024."""
    assert value == _parse(f"--max_in_flight_bytes={text}").leases.max_in_flight_bytes


# ── what is refused


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ("--wait_time_s=30", "--wait_time_s is 30; SQS allows 0 to 20"),
        ("--fetch_concurrency=0", "--fetch_concurrency is 0; this job allows 1 to 256"),
        ("--max_messages=-1", "--max_messages is -1; this job allows 1 or more"),
        ("--wait_time_s=ten", "--wait_time_s is 'ten'; it must be a whole number"),
        ("--wait_time_s=1_0", "--wait_time_s is '1_0'; it must be a whole number"),
        ("--retry_base_s=nan", "--retry_base_s is 'nan'; it must be a number"),
        (
            "--in_memory_bytes=4M",
            "--in_memory_bytes is '4M'; it must be a number of bytes like 1048576, 4MiB or 256MB",
        ),
        ("--output=", "--output is ''; it must be a text that is not empty"),
        (
            "--max_in_flight_bytes=1.5B",
            "--max_in_flight_bytes is '1.5B'; it must be a number of bytes like 1048576, 4MiB or 256MB",
        ),
        ("--drain=maybe", "--drain is 'maybe'; it must be true or false"),
        ("--log_format=xml", "--log_format is 'xml'; it must be one of text, json"),
        ("--output", "--output: expected one argument; --help lists the options"),
    ],
)
def test_a_value_is_refused_in_a_sentence_with_what_it_is_and_what_it_may_be(argument: str, sentence: str) -> None:
    """Whoever reads it need not look anything up."""
    assert sentence == _refusal(argument)


def test_a_refused_value_of_the_environment_names_its_variable() -> None:
    """Or people search their command line for it."""
    assert "SQS_PIPELINE_WAIT_TIME_S is 30; SQS allows 0 to 20" == _refusal(SQS_PIPELINE_WAIT_TIME_S="30")


def test_a_misspelt_variable_is_refused() -> None:
    """It would be ignored in silence for ever."""
    expected = "SQS_PIPELINE_WAIT_TIME is not an option; did you mean SQS_PIPELINE_WAIT_TIME_S?"

    assert expected == _refusal(SQS_PIPELINE_WAIT_TIME="5")


def test_without_a_queue_it_says_how_to_name_one() -> None:
    """The first thing that everybody meets."""
    assert "There is no queue to read: set --queue_url or SQS_QUEUE_URL" == _refusal(environ={})


def test_a_queue_url_that_is_none_is_refused() -> None:
    """A queue's name or ARN, for example."""
    assert _refusal("--queue_url=logs").startswith("--queue_url is 'logs'; a queue's URL looks like https://sqs.")


def test_two_variables_that_name_different_queues_are_refused() -> None:
    """One of them would lose in silence."""
    environ = {"SQS_QUEUE_URL": "http://a/1/q", "SQS_PIPELINE_QUEUE_URL": "http://b/1/q"}
    expected = "SQS_PIPELINE_QUEUE_URL is http://b/1/q and SQS_QUEUE_URL is http://a/1/q; unset one of them"

    assert expected == _refusal(environ=environ)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--retry_base_s=1000"], "--retry_base_s is 1000 and --retry_max_s is 900; it cannot be more"),
        (["--max_read_bytes=16GiB"], "--max_read_bytes is 16GiB and --max_object_bytes is 8GiB; it cannot be more"),
        (
            ["--max_object_bytes=1000", "--in_memory_bytes=1001"],
            "--in_memory_bytes is 1001 and --max_read_bytes is 1000; it cannot be more",
        ),
        (
            ["--max_processing_s=43200"],
            (
                "--max_processing_s is 43200 and --visibility_timeout_s is 60; "
                "SQS hides a message for 43200 seconds in all"
            ),
        ),
        (
            ["--metrics_address=0.0.0.0"],
            "--metrics_address is 0.0.0.0, but nothing is served there; add --metrics_port",
        ),
        (["--metrics_port=65536"], "--metrics_port is 65536; this job allows 0 to 65535"),
        (
            ["--buckets=s3://logs"],
            "--buckets is 's3://logs'; it must be the name of a bucket, like acme-logs, or several with commas",
        ),
        (["--idle_s=5"], "--idle_s is 5, but nothing is drained; add --drain"),
        (["--strict"], "--strict judges a job that ends; add --drain, --replay, --backfill or --max_messages"),
        (
            ["--pipelines=2", "--max_messages=9"],
            "--pipelines is 2 and --max_messages is 9; each pipeline counts its own messages, so choose one of the two",
        ),
        (
            ["--pipelines=2", "--runner=FlinkRunner"],
            "--pipelines is 2; that is for DirectRunner, a cluster takes --receivers",
        ),
        (
            ["--output=s3://logs", "--buckets=logs"],
            (
                "--output is s3://logs, all of a bucket that --buckets names; what is under it is never processed, "
                "so add a prefix"
            ),
        ),
        (
            ["--dead_letters=s3://logs", "--buckets=logs"],
            (
                "--dead_letters is s3://logs, all of a bucket that --buckets names; what is under it is never "
                "processed, so add a prefix"
            ),
        ),
        (
            ["--fate=object_gone=ignore", "--fate=object_gone=return"],
            "--fate says both object_gone=ignore and object_gone=return",
        ),
    ],
)
def test_options_that_contradict_each_other_are_refused_with_both_values(arguments: list[str], sentence: str) -> None:
    """Neither wins in silence."""
    assert sentence == _refusal(*arguments)


def test_a_default_gives_way_to_a_lower_limit_that_the_user_set() -> None:
    """Whoever lowers one limit need not know the others."""
    fetch = _parse("--max_object_bytes=2MiB", "--max_read_bytes=1MiB").fetch

    assert (MIB, MIB, 2 * MIB) == (fetch.in_memory_bytes, fetch.max_read_bytes, fetch.max_object_bytes)


def test_a_region_that_the_queue_is_not_in_is_refused() -> None:
    """SQS would say that there is no such queue."""
    environ = {"SQS_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/1/q", "AWS_REGION": "eu-west-1"}
    expected = "The queue URL says us-east-1 and the region is eu-west-1; set AWS_REGION=us-east-1, or the right queue"

    assert expected == _refusal(environ=environ)
    assert "eu-west-1" == parse([], environ | {"AWS_ENDPOINT_URL": "http://localhost:1"})[0].receive.region


# ── what is computed


def test_the_region_reaches_every_step() -> None:
    """Of the queue, here."""
    settings, _ = parse(["--queue_url=https://sqs.eu-west-1.amazonaws.com/1/q"], {})

    assert {"eu-west-1"} == {settings.receive.region, settings.fetch.region, settings.write.region}


@pytest.mark.parametrize(
    ("output", "dead_letters"),
    [("s3://b/p/", "s3://b/p/_dead_letters"), ("out", "out/_dead_letters"), ("/", "/_dead_letters")],
)
def test_dead_letters_go_under_the_output(output: str, dead_letters: str) -> None:
    """Unless they are told to go elsewhere."""
    assert dead_letters == _parse(f"--output={output}").write.dead_letters
    assert "x" == _parse(f"--output={output}", "--dead_letters=x").write.dead_letters


def test_our_own_places_in_s3_are_known_to_the_source() -> None:
    """Or the job would feed itself. `p/` is not `p2/`."""
    settings = _parse("--output=s3://b/p", "--dead_letters=s3://d")

    assert (("b", "p/"), ("d", "")) == settings.receive.own_prefixes
    assert () == _parse("--output=gs://b/p").receive.own_prefixes


def test_a_drain_polls_no_longer_than_it_waits() -> None:
    """A poll that begins just before the end must not make it later."""
    drain, live = _parse("--drain", "--idle_s=2.5"), _parse()

    assert (2.5, 2, True) == (drain.receive.idle_s, drain.receive.wait_time_s, drain.is_bounded)
    assert (None, 10, False) == (live.receive.idle_s, live.receive.wait_time_s, live.is_bounded)


REPLAY = "--replay=recorded/*.jsonl"
NOT_WITH_REPLAY = (
    " and --replay is recorded/*.jsonl; a replay reads files, once and in one process, and ends by itself: choose one "
    "of the two"
)


def test_a_replay_reads_files_and_ends_when_nothing_is_left() -> None:
    """It does everything again, and a crash does not begin it anew."""
    settings = _parse(REPLAY, "--wait_time_s=0", "--pipelines=1", "--strict")
    receive = settings.receive

    assert ("replay:recorded/*.jsonl", "recorded/*.jsonl") == (receive.queue_url, receive.replay)
    assert (0, 1, True) == (receive.idle_s, receive.wait_time_s, settings.is_bounded)
    assert (0, True) == (settings.run.pipelines, settings.fetch.reprocess)


def test_a_replay_needs_no_queue_and_asks_none() -> None:
    """Nor its region; the one in the environment is for the live job."""
    environ = {"SQS_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/1/q", "AWS_REGION": "eu-north-1"}

    assert "eu-north-1" == parse([REPLAY], environ)[0].receive.region
    assert "us-east-1" == parse([REPLAY], {})[0].fetch.region


@pytest.mark.parametrize(
    ("arguments", "asks"),
    [
        ([], True),
        (["--objects=o"], False),
        (["--objects=o", "--output=s3://b/p"], True),
        (["--objects=o", "--dead_letters=s3://b/p"], True),
    ],
)
def test_a_replay_from_and_to_directories_reads_no_configuration_of_aws(
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    asks: bool,  # noqa: FBT001
) -> None:
    """A profile that is not there is none of its business."""
    asked: list[str] = []
    monkeypatch.setattr(aws, "profile_region", lambda: asked.append("profile"))

    _parse(REPLAY, *arguments)

    assert asks == bool(asked)


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        (f"--queue_url={QUEUE_URL}", f"--queue_url is {QUEUE_URL}"),
        ("--drain", "--drain is true"),
        ("--receivers=2", "--receivers is 2"),
        ("--pipelines=2", "--pipelines is 2"),
    ],
)
def test_a_replay_is_no_queue(argument: str, said: str) -> None:
    """What is for queues would be ignored in silence."""
    assert said + NOT_WITH_REPLAY == _refusal(REPLAY, argument)


@pytest.mark.parametrize(
    ("argument", "said"),
    [("--objects=o", "--objects is o"), ("--processed_at=2026-01-15", "--processed_at is 2026-01-15")],
)
def test_what_is_for_a_replay_is_refused_without_one(argument: str, said: str) -> None:
    """A live job must not tell another time than it is."""
    assert f"{said}, but nothing is replayed; add --replay" == _refusal(argument)


@pytest.mark.parametrize("text", ["2026-01-15T09:10:02Z", "2026-01-15T09:10:02", "2026-01-15T10:10:02+01:00"])
def test_the_time_of_a_replay_reaches_results_and_dead_letters(text: str) -> None:
    """In UTC, as which it is taken."""
    settings = _parse(REPLAY, f"--processed_at={text}")
    moment = datetime(2026, 1, 15, 9, 10, 2, tzinfo=UTC)

    assert [moment] * 3 == [settings.receive.received_at, settings.process.processed_at, settings.write.failed_at]


@pytest.mark.parametrize("text", ["now", "0001-01-01T00:00+01:00"])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    """Also one before all time."""
    expected = (
        f"--processed_at is {text!r}; it must be a date or a time like 2026-01-31 or 2026-01-31T09:00Z, which is "
    )

    assert _refusal(REPLAY, f"--processed_at={text}").startswith(expected)


def test_a_fate_changes_one_row_of_the_table() -> None:
    """The others stay."""
    fates = _parse("--fate=object_gone=ignore,too_large=return").write.fates

    assert {**DEFAULT_FATES, FailureKind.OBJECT_GONE: Fate.IGNORE, FailureKind.TOO_LARGE: Fate.RETURN} == fates


def test_only_failures_have_a_fate_to_change() -> None:
    """What has nothing to do is always acknowledged."""
    assert _refusal("--fate=test_event=return").startswith(
        "--fate is 'test_event=return'; it must be kind=fate; kinds are unreadable_notification, bucket_not_allowed, "
    )


@pytest.mark.parametrize(
    ("written", "meant"), [("direct", "DirectRunner"), ("flinkrunner", "FlinkRunner"), ("PrismRunner", "PrismRunner")]
)
def test_a_runner_is_written_as_beam_takes_it(written: str, meant: str) -> None:
    """In any case, with or without its last word."""
    assert RunSettings(runner=meant) == _parse(f"--runner={written}").run


# ── in words


def test_help_shows_steps_units_bounds_and_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    """In the order of the flow."""
    with pytest.raises(SystemExit) as left:
        parse(["--help"], {})
    words = " ".join(capsys.readouterr().out.split())
    steps = [words.index(f" {step}: --") for step in ("Receive", "Leases", "Fetch", "Process", "Write", "Run")]

    assert 0 == left.value.code
    assert "[0 to 20 seconds (SQS); default: 10]" in words
    assert "[1 or more bytes; default: 256MiB]" in words
    assert sorted(steps) == steps


def test_help_needs_no_beam() -> None:
    """It would make everybody wait a second."""
    program = "import sys, pipeline.__main__; sys.exit('apache_beam' in sys.modules)"

    assert 0 == subprocess.run([sys.executable, "-c", program], check=False).returncode


def test_the_table_of_the_readme_has_a_row_for_each_option() -> None:
    """And shows its default."""
    rows = options_markdown_table().splitlines()[2:]
    wait = next(row for row in rows if "--wait_time_s" in row)

    assert [option.flag for option in OPTIONS] == [row.split("`")[1] for row in rows]
    assert wait.startswith("|  | `--wait_time_s` | `10` | 0 to 20 seconds (SQS) | How long a poll waits")


def test_settings_reach_other_processes() -> None:
    """Runners pickle them."""
    settings = _parse("--fate=object_gone=ignore", "--buckets=a")

    assert settings == pickle.loads(pickle.dumps(settings))  # noqa: S301 - our own


ROLE = "arn:aws:iam::123456789012:role/teams/logs/reader"


def test_each_role_is_for_its_own_service() -> None:
    """One account may own the queue, another the objects, a third the results."""
    roles = {name: f"{ROLE}-{name}" for name in ("queue", "source", "output")}

    settings = _parse(*(f"--{name}_role_arn={arn}" for name, arn in roles.items()), "--output=s3://results")

    assert roles == {
        "queue": settings.receive.queue_role_arn,
        "source": settings.fetch.source_role_arn,
        "output": settings.write.output_role_arn,
    }
    assert settings == pickle.loads(pickle.dumps(settings))  # noqa: S301 - our own


@pytest.mark.parametrize("arn", ["reader", "arn:aws:iam::123:role/reader", "arn:aws:iam::123456789012:user/reader"])
def test_what_is_no_arn_of_a_role_is_refused(arn: str) -> None:
    """STS would say so at the first message, in words of its own."""
    expected = f"--queue_role_arn is {arn!r}; it must be the ARN of a role like arn:aws:iam::123456789012:role/NAME"

    assert expected == _refusal(f"--queue_role_arn={arn}")


@pytest.mark.parametrize(
    "arn", [ROLE, "arn:aws-us-gov:iam::123456789012:role/a", "arn:aws-cn:iam::123456789012:role/a+=,.@-_"]
)
def test_roles_of_every_partition_are_taken(arn: str) -> None:
    """With paths, and every character that IAM allows."""
    assert arn == _parse(f"--queue_role_arn={arn}").receive.queue_role_arn


@pytest.mark.parametrize(
    ("option", "value", "files", "whom"),
    [
        ("queue_role_arn", ROLE, REPLAY, "queue"),
        ("source_role_arn", ROLE, "--objects=o", "bucket"),
        ("expected_bucket_owner", "123456789012", "--objects=o", "bucket"),
    ],
)
def test_who_asks_and_whom_is_refused_where_nobody_is_asked(option: str, value: str, files: str, whom: str) -> None:
    """In the environment it is meant for other runs."""
    expected = (
        f"--{option} is {value} and {files.replace('=', ' is ')}; files are read and no {whom} is asked, so leave one "
        "of them out"
    )

    assert expected == _refusal(REPLAY, "--objects=o", f"--{option}={value}")
    assert _parse(REPLAY, "--objects=o", **{f"SQS_PIPELINE_{option.upper()}": value}).receive.replay


def test_a_replay_may_read_its_objects_as_another_role() -> None:
    """Without `--objects` they are in S3."""
    fetch = _parse(REPLAY, f"--source_role_arn={ROLE}", "--expected_bucket_owner=123456789012").fetch

    assert (ROLE, "123456789012") == (fetch.source_role_arn, fetch.expected_bucket_owner)


def test_a_role_for_results_that_go_to_no_bucket_is_refused() -> None:
    """It would be assumed for nothing."""
    expected = f"--output_role_arn is {ROLE}, but neither --output nor --dead_letters is on S3"

    assert expected == _refusal(f"--output_role_arn={ROLE}")
    assert ROLE == _parse(f"--output_role_arn={ROLE}", "--dead_letters=s3://letters").write.output_role_arn


def test_the_expected_owner_is_an_account() -> None:
    """Twelve digits, zeros in front included."""
    expected = "--expected_bucket_owner is '12345'; it must be the 12 digits of an AWS account"

    assert expected == _refusal("--expected_bucket_owner=12345")
    assert "001234567890" == _parse("--expected_bucket_owner=001234567890").fetch.expected_bucket_owner
