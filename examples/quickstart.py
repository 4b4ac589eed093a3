"""The whole story on one machine: a local S3 notifies a local SQS of new log files, and the job makes results of them.

`./run_local.sh` makes the environment and calls this; `--example` chooses another processor and other objects. What is
started here is stopped here, whatever happens in between: Ctrl-C, SIGTERM, a closed terminal, or a failure; only
`--keep` leaves the local AWS running.
"""

from __future__ import annotations

import argparse
import contextlib
import shlex
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import outcome
import report
from aws_setup import create_bucket_and_queues
from beside import MissingError
from catalogue import EXAMPLES, listing
from job import run_job
from local_aws import LocalAws
from terminal import dim, elided, fail, indented, say, say_some, step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aws_setup import Queues
    from catalogue import Example
    from sample import Sample

ROOT = Path(__file__).resolve().parent.parent
BUCKET = "quickstart-logs"
JOB = ["-m", "pipeline", "--runner=DirectRunner"]
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """Somebody wants us to stop. Not an `Exception`: nothing on the way may handle it."""


def main() -> int:
    """Tell the story; answer the exit code."""
    arguments = _arguments()
    if arguments.example == "list":
        print(*listing(), sep="\n")
        return 0
    for number in SIGNALS:
        signal.signal(number, _interrupt)
    try:
        outcome.make_room(arguments.output, BUCKET)
        with _local_aws(arguments.output) as aws:
            passed = _run(aws, arguments)
    except (outcome.NotOursError, MissingError) as error:
        fail(str(error))
        return 2
    except Interrupted as interrupted:
        fail("Interrupted; everything that was started is stopped.")
        return 128 + int(interrupted.args[0])
    else:
        return 0 if passed else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run_local.sh", description="S3 objects become results, on this machine.")
    parser.add_argument(
        "--example",
        choices=(*EXAMPLES, "list"),
        metavar="NAME",
        default="quickstart",
        help="which example to run; list names them (default: quickstart)",
    )
    parser.add_argument("--keep", action="store_true", help="leave the local AWS running, and say how to use it")
    parser.add_argument(
        "--output", type=Path, default=ROOT / "output" / "local", help="where the results go (default: output/local)"
    )
    arguments = parser.parse_args()
    arguments.output = arguments.output.resolve()
    return arguments


def _interrupt(number: int, _frame: object) -> NoReturn:
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)  # we are stopping already
    raise Interrupted(number)


@contextlib.contextmanager
def _local_aws(output: Path) -> Iterator[LocalAws]:
    step("Starting a local AWS: S3 and SQS over HTTP")
    aws = LocalAws.start(output / "local_aws.log")
    try:
        say(f"listening on {aws.endpoint}")
        yield aws
    finally:
        if not aws.is_kept:
            aws.stop()


def _run(aws: LocalAws, arguments: argparse.Namespace) -> bool:
    example = EXAMPLES[arguments.example]
    step("Creating a bucket that tells a queue about every new object")
    queues = create_bucket_and_queues(aws, BUCKET)
    say(f"s3://{BUCKET}  ->  {queues.url}")
    uploaded = example.samples()
    _upload(aws, uploaded, example.objects)
    with example.beside(arguments.output) as beside:
        job = [*JOB, *example.options, "--drain", "--idle_s=2", f"--output={outcome.short(arguments.output, ROOT)}"]
        step(f"Running the job: python {shlex.join(job)}")
        code = run_job([sys.executable, *job], ROOT, aws.environment(queues.url) | beside.environment)
        seen = beside.look()
    found = outcome.read(arguments.output, BUCKET)
    surprises = report.show(example, uploaded, found, seen) + report.show_queue(aws, queues)
    report.show_files(found)
    passed = report.judge(found, surprises) and code == 0
    if code:
        fail(f"The job ended with exit code {code}; 0 was expected.")
    if arguments.keep:
        _hand_over(aws, queues, example, list(beside.environment))
    return passed


def _upload(aws: LocalAws, uploaded: list[Sample], what: str) -> None:
    step(f"Uploading {len(uploaded)} {what}; S3 itself notifies the queue")
    s3 = aws.client("s3")
    for sample in uploaded:
        s3.put_object(Bucket=BUCKET, Key=sample.key, Body=sample.body)
    width = max(34, *(len(elided(sample.key)) for sample in uploaded))
    say_some([f"{elided(one.key):<{width}} {len(one.body):>7,} bytes  {dim(one.remark)}" for one in uploaded])


def _hand_over(aws: LocalAws, queues: Queues, example: Example, stopped: list[str]) -> None:
    aws.keep()
    step("The local AWS keeps running. To use it from another shell:")
    exports = [f"export {name}={shlex.quote(value)}" for name, value in aws.exports(queues.url).items()]
    exports += [f"export {name}=…  # what ran here is stopped: name your own" for name in stopped]
    print(*indented("unset AWS_PROFILE AWS_REGION AWS_SESSION_TOKEN", *exports), sep="\n")
    job = [*JOB, *example.options]
    step("Then, for example:")
    print(*indented(f"aws s3 cp some.log s3://{BUCKET}/some.log", f".venv/bin/python {shlex.join(job)}"), sep="\n")
    step("To stop it:")
    print(*indented(f"kill {aws.process.pid}"), sep="\n")


if __name__ == "__main__":
    sys.exit(main())
