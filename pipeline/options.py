"""What the user said becomes `Settings`: checked as a whole, grouped by step, frozen. Nothing here imports Beam.

Start at `option_table.py`: each option, its default, its bounds and why. The rules between several options are here.
Over 150 lines because every such rule stands here, in the order in which they are asked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.backfill_options import backfill_settings, choose_source
from pipeline.option_help import options_markdown_table
from pipeline.option_sources import Said, read_sources
from pipeline.option_table import BY_NAME, IN_PROCESS, OPTIONS
from transforms import aws
from transforms.failures import DEFAULT_FATES, UserError
from transforms.queues import SQS_MAX_VISIBILITY_S
from transforms.settings import FetchSettings, LeaseSettings, ProcessSettings, ReceiveSettings, WriteSettings
from transforms.sqs_queue import check_queue_url

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from transforms.failures import FailureKind, Fate

__all__ = ["RunSettings", "Settings", "options_markdown_table", "parse"]


@dataclass(frozen=True, slots=True)
class RunSettings:
    """Where the job runs, when it ends, and what it says."""

    runner: str = "DirectRunner"
    pipelines: int = 1
    drain: bool = False
    dry_run: bool = False
    strict: bool = False
    all_cores: bool = False
    shared_output: bool = False
    metrics_port: int = 0
    """0 for none."""
    metrics_address: str = "127.0.0.1"
    log_level: str = "INFO"
    log_format: str = "text"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the job is told, grouped by step."""

    receive: ReceiveSettings
    leases: LeaseSettings = field(default_factory=LeaseSettings)
    fetch: FetchSettings = field(default_factory=FetchSettings)
    process: ProcessSettings = field(default_factory=ProcessSettings)
    write: WriteSettings = field(default_factory=WriteSettings)
    run: RunSettings = field(default_factory=RunSettings)
    is_bounded: bool = False
    """The job ends by itself."""


def parse(argv: Sequence[str], environ: Mapping[str, str]) -> tuple[Settings, list[str]]:
    """Answer the settings, and the arguments that are not ours: Beam's, or misspelt. Raises `UserError`.

    `--help` prints and exits.
    """
    said, rest = read_sources(argv, environ)
    return settings_of(said, environ), rest


def settings_of(said: Mapping[str, Said], environ: Mapping[str, str]) -> Settings:
    """Answer the settings that the user's words make, with the defaults of what was not said. Raises `UserError`."""
    values = {option.name: said[option.name].value if option.name in said else option.default for option in OPTIONS}
    _give_way(values, said)
    said = choose_source(values, said)
    _check_source(values, said)
    _check_together(values, said)
    region = region_of(environ, "" if values["replay"] else values["queue_url"], asks_aws=_asks_aws(values))
    return _settings(values, region)


def _give_way(values: dict[str, Any], said: Mapping[str, Said]) -> None:
    """Lower defaults to what the user set as their upper limit; refuse what the user set higher than that."""
    for option in reversed(OPTIONS):  # from the largest limit down
        if not option.at_most:
            continue
        upper = values[option.at_most]
        if option.name not in said:
            values[option.name] = min(values[option.name], upper)
        elif values[option.name] > upper:
            raise UserError(
                f"{_is(option.name, values, said)} and {_is(option.at_most, values, said)}; it cannot be more"
            )


def _check_source(values: Mapping[str, Any], said: Mapping[str, Said]) -> None:
    if values["replay"]:
        _check_replay(values, said)
        return
    for name in ("objects", "processed_at"):
        if name in said:
            raise UserError(f"{_is(name, values, said)}, but nothing is replayed; add --replay")
    if not values["queue_url"]:
        raise UserError("There is no queue to read: set --queue_url or SQS_QUEUE_URL")
    if not values["backfill"]:
        check_queue_url(values["queue_url"])


def _check_replay(values: Mapping[str, Any], said: Mapping[str, Said]) -> None:
    excluded = {
        "queue_url": "queue_url" in said and said["queue_url"].label == BY_NAME["queue_url"].flag,
        "drain": values["drain"],
        "receivers": values["receivers"] > 1,
        "pipelines": values["pipelines"] > 1,
    }
    for name, is_said in excluded.items():
        if is_said:
            raise UserError(
                f"{_is(name, values, said)} and {_is('replay', values, said)}; a replay reads files, once and in one "
                "process, and ends by itself: choose one of the two"
            )
    _refuse_roles_of_nobody(values, said)


def _refuse_roles_of_nobody(values: Mapping[str, Any], said: Mapping[str, Said]) -> None:
    """Refuse what says as whom, or of whom, to ask where nobody is asked; the environment means other runs."""
    unused = {"queue_role_arn": "replay"}
    if values["objects"]:
        unused |= {"source_role_arn": "objects", "expected_bucket_owner": "objects"}
    for name, files in unused.items():
        if name in said and said[name].label == BY_NAME[name].flag:
            what = "no queue" if files == "replay" else "no bucket"
            raise UserError(
                f"{_is(name, values, said)} and {_is(files, values, said)}; files are read and {what} is asked, so "
                "leave one of them out"
            )


def _asks_aws(values: Mapping[str, Any]) -> bool:
    """Whether there is anything to ask of AWS: a replay from files into directories needs no configuration of it."""
    places = (values["output"], place_of_dead_letters(values))
    return not values["objects"] or any(map(_s3_place, places))


def _check_together(values: Mapping[str, Any], said: Mapping[str, Said]) -> None:
    longest, visibility = "max_processing_s", "visibility_timeout_s"
    if values[longest] + values[visibility] > SQS_MAX_VISIBILITY_S:
        raise UserError(
            f"{_is(longest, values, said)} and {_is(visibility, values, said)}; "
            f"SQS hides a message for {SQS_MAX_VISIBILITY_S} seconds in all"
        )
    if "idle_s" in said and not values["drain"]:
        raise UserError(f"{_is('idle_s', values, said)}, but nothing is drained; add --drain")
    if "metrics_address" in said and not values["metrics_port"]:
        raise UserError(f"{_is('metrics_address', values, said)}, but nothing is served there; add --metrics_port")
    places = {name: _s3_place(values[name] or "") for name in ("output", "dead_letters")}
    for name, place in places.items():
        if place in {(bucket, "") for bucket in values["buckets"]}:
            raise UserError(
                f"{_is(name, values, said)}, all of a bucket that --buckets names; what is under it is never "
                "processed, so add a prefix"
            )
    role = "output_role_arn"
    if values[role] and not any(places.values()):
        raise UserError(f"{_is(role, values, said)}, but neither --output nor --dead_letters is on S3")
    if values["pipelines"] > 1 and values["runner"] not in IN_PROCESS:
        raise UserError(f"{_is('pipelines', values, said)}; that is for DirectRunner, a cluster takes --receivers")
    if values["pipelines"] > 1 and values["max_messages"] is not None:
        raise UserError(
            f"{_is('pipelines', values, said)} and {_is('max_messages', values, said)}; each pipeline counts its own "
            "messages, so choose one of the two"
        )
    if values["strict"] and not _is_bounded(values):
        raise UserError(
            f"{said['strict'].label} judges a job that ends; add --drain, --replay, --backfill or --max_messages"
        )


def _is(name: str, values: Mapping[str, Any], said: Mapping[str, Said]) -> str:
    if name in said:
        return f"{said[name].label} is {said[name].text}"
    return f"{BY_NAME[name].flag} is {BY_NAME[name].shown(values[name])}"


def _is_bounded(values: Mapping[str, Any]) -> bool:
    return any(values[name] for name in ("drain", "replay", "backfill")) or values["max_messages"] is not None


def region_of(environ: Mapping[str, str], queue_url: str, *, asks_aws: bool = True) -> str:
    """Answer the region to work in. Raises `UserError` if the queue's URL says another."""
    profile_region = aws.profile_region() if asks_aws else None
    region = aws.resolve_region(environ, queue_url=queue_url, profile_region=profile_region)
    of_queue = aws.region_of_queue(queue_url)
    is_elsewhere = environ.get("AWS_ENDPOINT_URL_SQS") or environ.get("AWS_ENDPOINT_URL")
    if of_queue and of_queue != region and not is_elsewhere:
        raise UserError(
            f"The queue URL says {of_queue} and the region is {region}; set AWS_REGION={of_queue}, or the right queue"
        )
    return region


def _settings(values: Mapping[str, Any], region: str) -> Settings:
    groups: dict[str, dict[str, Any]] = {name: {} for name in ("receive", "leases", "fetch", "process", "write", "run")}
    for option in OPTIONS:
        for target in option.targets:
            group, _, name = target.partition(".")
            groups[group][name] = values[option.name]
    write = groups["write"] | {"region": region, "fates": _fates(values["fate"])}
    write["dead_letters"] = place_of_dead_letters(values)
    receive = groups["receive"] | {"region": region, "own_prefixes": _own_prefixes(write)}
    if values["replay"]:
        _let_replay(groups, receive)
    elif values["drain"]:
        # A long poll that outlasts the wait for one more message would make it longer.
        receive |= {"idle_s": values["idle_s"], "wait_time_s": min(values["wait_time_s"], int(values["idle_s"]))}
    receive |= backfill_settings(values)
    return Settings(
        receive=ReceiveSettings(**receive),
        leases=LeaseSettings(**groups["leases"]),
        fetch=FetchSettings(**groups["fetch"], region=region, asks_ledger_always=bool(values["backfill"])),
        process=ProcessSettings(**groups["process"]),
        write=WriteSettings(**write),
        run=RunSettings(**groups["run"]),
        is_bounded=_is_bounded(values),
    )


def _let_replay(groups: Mapping[str, dict[str, Any]], receive: dict[str, Any]) -> None:
    """Set what a replay has of itself."""
    # Its polls ask nobody, and one that is under way must not be waited for at the end.
    receive |= {"queue_url": f"replay:{receive['replay']}", "idle_s": 0, "wait_time_s": 1}
    # A result from the last replay would excuse a function that fails now, at the second receive.
    groups["fetch"]["reprocess"] = True
    # A process that was started again would begin anew, and never end with a message that kills it.
    groups["run"]["pipelines"] = 0


def place_of_dead_letters(values: Mapping[str, Any]) -> str:
    """Answer `--dead_letters`, or its default under `--output`."""
    return values["dead_letters"] or f"{values['output'].rstrip('/')}/_dead_letters"


def _fates(changes: tuple[tuple[FailureKind, Fate], ...]) -> Mapping[FailureKind, Fate]:
    fates = dict(changes)
    for kind, fate in changes:
        if fates[kind] is not fate:
            raise UserError(f"--fate says both {kind}={fate} and {kind}={fates[kind]}")
    return {**DEFAULT_FATES, **fates}


def _own_prefixes(write: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Answer where in S3 we write: (bucket, key prefix), each place once."""
    places = (_s3_place(write["output"]), _s3_place(write["dead_letters"]))
    return tuple(dict.fromkeys(place for place in places if place))


def _s3_place(location: str) -> tuple[str, str] | None:
    place = aws.s3_place(location)
    if place is None:
        return None
    bucket, prefix = place
    return bucket, f"{prefix}/" if prefix else ""
