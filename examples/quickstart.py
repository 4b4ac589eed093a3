"""The whole story on one machine: a local S3 notifies a local SQS of new log files, and the job makes results of them.

`./run_local.sh` makes the environment and calls this. What is started here is stopped here, whatever happens in
between: Ctrl-C, SIGTERM, a closed terminal, or a failure; only `--keep` leaves the local AWS running.
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
from aws_setup import create_bucket_and_queues, messages_left
from job import run_job
from local_aws import LocalAws
from sample_logs import samples
from terminal import bold, dim, fail, indented, say, step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aws_setup import Queues
    from sample_logs import Sample

ROOT = Path(__file__).resolve().parent.parent
BUCKET = "quickstart-logs"
JOB = ["-m", "pipeline", "--runner=DirectRunner"]
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """Somebody wants us to stop. Not an `Exception`: nothing on the way may handle it."""


def main() -> int:
    """Tell the story; answer the exit code."""
    arguments = _arguments()
    for number in SIGNALS:
        signal.signal(number, _interrupt)
    try:
        outcome.make_room(arguments.output, BUCKET)
        with _local_aws(arguments.output) as aws:
            passed = _run(aws, arguments)
    except outcome.NotOursError as error:
        fail(str(error))
        return 2
    except Interrupted as interrupted:
        fail("Interrupted; everything that was started is stopped.")
        return 128 + int(interrupted.args[0])
    else:
        return 0 if passed else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run_local.sh", description="S3 objects become results, on this machine.")
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
    step("Creating a bucket that tells a queue about every new object")
    queues = create_bucket_and_queues(aws, BUCKET)
    say(f"s3://{BUCKET}  ->  {queues.url}")
    uploaded = samples()
    _upload(aws, uploaded)
    job = [*JOB, "--drain", "--idle_s=2", f"--output={outcome.short(arguments.output, ROOT)}"]
    step(f"Running the job: python {shlex.join(job)}")
    code = run_job([sys.executable, *job], ROOT, aws.environment(queues.url))
    passed = _show(aws, queues, arguments.output, uploaded) and code == 0
    if code:
        fail(f"The job ended with exit code {code}; 0 was expected.")
    if arguments.keep:
        _hand_over(aws, queues)
    return passed


def _upload(aws: LocalAws, uploaded: list[Sample]) -> None:
    step(f"Uploading {len(uploaded)} log files; S3 itself notifies the queue")
    s3 = aws.client("s3")
    for sample in uploaded:
        s3.put_object(Bucket=BUCKET, Key=sample.key, Body=sample.body)
        say(f"{sample.key:<34} {len(sample.body):>7,} bytes  {dim(sample.remark)}")


def _show(aws: LocalAws, queues: Queues, output: Path, uploaded: list[Sample]) -> bool:
    """Show what became of every object, and check it."""
    found = outcome.read(output, BUCKET)
    step("Results")
    say(*outcome.results_table(found.results))
    step("Set aside, with the reason")
    say(*(f"{outcome.object_of(letter)}: {letter['kind']}: {letter['detail']}" for letter in found.dead_letters))
    waiting, held = messages_left(aws, queues.url)
    waiting_dead, _ = messages_left(aws, queues.dead_letter_url)
    step("The queue")
    say(f"{waiting} messages waiting, {held} held by a receiver, {waiting_dead} in its dead-letter queue")
    step("The files")
    say(*(outcome.short(path, Path.cwd()) for path in found.paths))
    surprises = outcome.surprises(found, uploaded)
    if waiting or held or waiting_dead:
        surprises.append("the queue is not empty")
    for surprise in surprises:
        fail(f"Not as expected: {surprise}")
    if not surprises:
        stored, aside = len(found.results), len(found.dead_letters)
        print(f"\n{bold('All as expected:')} {stored} results, {aside} dead letter, nothing left in the queue.")
    return not surprises


def _hand_over(aws: LocalAws, queues: Queues) -> None:
    aws.keep()
    step("The local AWS keeps running. To use it from another shell:")
    exports = [f"export {name}={shlex.quote(value)}" for name, value in aws.exports(queues.url).items()]
    print(*indented("unset AWS_PROFILE AWS_REGION AWS_SESSION_TOKEN", *exports), sep="\n")
    step("Then, for example:")
    print(*indented(f"aws s3 cp some.log s3://{BUCKET}/some.log", f".venv/bin/python {shlex.join(JOB)}"), sep="\n")
    step("To stop it:")
    print(*indented(f"kill {aws.process.pid}"), sep="\n")


if __name__ == "__main__":
    sys.exit(main())
