"""The options in words: for `--help`, and as the table of README.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pipeline.option_table import OPTIONS

if TYPE_CHECKING:
    from pipeline.option_kinds import Option


class About(NamedTuple):
    """What `--help` says around the options."""

    usage: str
    description: str
    epilog: str


JOB = About(
    usage="sqs-pipeline --queue_url=URL [--option=value …], or python -m pipeline …",
    description="""\
S3 tells an SQS queue about every new object; this job fetches each object, gunzips it, runs your function over it,
stores the result, and only then deletes the message.

python -m pipeline check verifies everything before the first message, with the same options.
Two commands look after what was set aside: python -m pipeline dead_letters lists and explains it, and
python -m pipeline redrive sends it back to the queue. A third, python -m pipeline record, copies messages and their
objects into a directory, for tests. For a cluster, python -m pipeline worker_pool starts workers. Each has a --help of
its own.""",
    epilog="""\
Each option can also be set in the environment, as SQS_PIPELINE_<OPTION>: SQS_PIPELINE_WAIT_TIME_S=20. The command line
wins. Credentials, endpoints and regions are found as by every tool of AWS, for example AWS_PROFILE, AWS_REGION and
AWS_ENDPOINT_URL. Other options are Beam's: --runner=FlinkRunner takes --checkpointing_interval and --parallelism, for
example.

Exit codes: 0 done or stopped, 1 the job failed, 2 it could not start, and one sentence says why.""",
)


def help_of(option: Option) -> str:
    """Say what it does, what is allowed, and the default."""
    facts = "; ".join(filter(None, (_allowed(option), f"default: {_default(option)}")))
    return f"{option.help} [{facts}]"


def options_markdown_table() -> str:
    """Answer the table of README.md; a test keeps the two equal."""
    lines = ["| step | option | default | allowed | what it does, and why its default |", "|---|---|---|---|---|"]
    step = ""
    for option in OPTIONS:
        cells = (
            option.step if option.step != step else "",
            f"`{option.flag}`",
            option.default_is or f"`{_default(option)}`",
            _allowed(option),
            option.help,
        )
        lines.append(f"| {' | '.join(_as_cell(cell) for cell in cells)} |")
        step = option.step
    return "\n".join(lines) + "\n"


def _allowed(option: Option) -> str:
    if option.bounds is None:
        return option.kind.choices
    unit = f" {option.unit}" if option.unit else ""
    owner = f" ({option.bounds.owner})" if option.bounds.owner != "this job" else ""
    return f"{option.bounds.range}{unit}{owner}"


def _default(option: Option) -> str:
    return option.default_is or option.shown(option.default)


def _as_cell(text: str) -> str:
    return text.replace("|", r"\|").replace("*", r"\*").replace("<", "&lt;")
