"""`python -m pipeline redrive`: what was set aside goes back to the queue, each failed record alone."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pipeline.dead_letter_options import letters, parse_redrive
from transforms.failures import QueueError, UserError, WriteFailedError
from transforms.notifications import AdmissionRules, load_parser
from transforms.redriving import body_alone
from transforms.sqs_queue import SqsQueue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.dead_letter_options import Asked
    from transforms.dead_letter_box import DeadLetter, DeadLetterBox
    from transforms.queues import Queue

log = logging.getLogger(__name__)


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the command and answer the exit code. Raises `UserError`."""
    asked = parse_redrive(argv, environ)
    return redrive(asked, asked.box(), SqsQueue(asked.queue_url, asked.region, asked.queue_role_arn))


def redrive(asked: Asked, box: DeadLetterBox, queue: Queue) -> int:
    """Send what is in `box`, and delete what is sent. Raises `UserError` if nothing can be sent or listed at all.

    A crash in between leaves a dead letter that was sent; sending it again costs a repeat, and loses nothing.
    """
    spec = asked.notification_parser
    rules = AdmissionRules(parser=load_parser(spec), parser_name=spec) if spec else AdmissionRules()
    counts: Counter[str] = Counter()
    for letter in letters(asked, box):
        if _came_from(letter, asked.queue_url):
            counts[_put_back(letter, box, queue, rules, dry_run=asked.dry_run)] += 1
        else:
            counts["of other queues"] += 1
            log.warning("left %s alone: it came from %s", letter.name, letter.delivery.queue_url)
    counts["not read"] += box.unread
    said = [
        f"{counts[name]:,} {name}"
        for name in ("not sent", "not deleted", "of other queues", "not read")
        if counts[name]
    ]
    log.info("%s", ", ".join([f"{counts['sent']:,} {'would be sent' if asked.dry_run else 'sent'}", *said]))
    return 1 if counts["not sent"] or counts["not deleted"] or counts["not read"] else 0


def _put_back(letter: DeadLetter, box: DeadLetterBox, queue: Queue, rules: AdmissionRules, *, dry_run: bool) -> str:
    """Answer what became of it."""
    described = f"{letter.subject}, set aside as {letter.kind} ({letter.name})"
    body = body_alone(letter, rules)
    if dry_run:
        log.info("would send %s", described)
        return "sent"
    try:
        message_id = queue.send(body)
    except QueueError as error:
        if error.permanent:
            raise UserError(f"The queue cannot be sent to: {error.detail}") from error
        log.error("not sent: %s: %s", described, error.detail)  # noqa: TRY400 - the sentence is enough
        return "not sent"
    try:
        box.remove(letter)
    except WriteFailedError as error:
        log.error("sent, but its dead letter stays: %s: %s", described, error.detail)  # noqa: TRY400 - as above
        return "not deleted"
    log.info("sent %s as message %s", described, message_id)
    return "sent"


def _came_from(letter: DeadLetter, queue_url: str) -> bool:
    """Whether it is of this queue, by account and name: hosts have aliases. One of no queue goes to any.

    A listing of a bucket is none, for example, though its dead letters say what it listed.
    """
    url = letter.delivery.queue_url
    return not url.startswith(("http://", "https://")) or _account_and_name(url) == _account_and_name(queue_url)


def _account_and_name(url: str) -> list[str]:
    try:
        return urlsplit(url).path.split("/")[-2:]
    except ValueError:
        return [url]
