"""Every option of the job, in the order of the flow. The command line, the environment, `--help` and README come of it.

Longer than other files because it is one table. A default stands here and in `transforms/settings.py`, for whoever uses
a step alone; a test keeps them equal.
"""

from __future__ import annotations

from pipeline.option_kinds import (
    ACCOUNT,
    BUCKETS,
    BYTES,
    FATES,
    FLAG,
    INTEGER,
    MOMENT,
    NUMBER,
    ROLE,
    S3_PLACES,
    TEXT,
    TEXTS,
    Bounds,
    Option,
    one_of,
)
from transforms.queues import SQS_MAX_VISIBILITY_S
from transforms.settings import GIB, MIB

SQS_MAX_WAIT_S = 20
SQS_MAX_IN_FLIGHT = 120_000
MAX_PIPELINES = 64
MAX_PORT = 65_535
IN_PROCESS = ("DirectRunner", "FnApiRunner")
"""Runners whose whole job is in one process of ours."""
RUNNERS = (
    *("DataflowRunner", "DirectRunner", "FlinkRunner", "FnApiRunner", "PortableRunner", "PrismRunner"),
    "SparkRunner",
)

OPTIONS = (
    Option(
        "queue_url",
        "Receive",
        TEXT,
        "The SQS queue to read. SQS_QUEUE_URL says it too. Standard queues only: S3 cannot notify a FIFO queue.",
        default_is="none: it must be given, unless --backfill is",
        metavar="URL",
        targets=("receive.queue_url",),
    ),
    Option(
        "backfill",
        "Receive",
        S3_PLACES,
        "Process what is in a bucket already, repeatable: every object whose key begins with the prefix, by a listing "
        "instead of a queue. What has a result is skipped, so that an interrupted one goes on where it was. Ends when "
        "nothing is left.",
        default=(),
        default_is="none: a queue is read",
        metavar="S3://BUCKET/PREFIX",
    ),
    Option(
        "since",
        "Receive",
        MOMENT,
        "With --backfill: objects that were last changed at this time or later, UTC.",
        default_is="from the first on",
        metavar="TIME",
    ),
    Option(
        "until",
        "Receive",
        MOMENT,
        "With --backfill: objects that were last changed before this time, UTC: when the queue began to be notified, "
        "for example.",
        default_is="up to the last",
        metavar="TIME",
    ),
    Option(
        "queue_role_arn",
        "Receive",
        ROLE,
        "A role to assume for all that is asked of SQS, where the queue is another account's. Its credentials renew "
        "themselves. None, because one role is usual.",
        default_is="none: the job's own credentials",
        metavar="ARN",
        targets=("receive.queue_role_arn",),
    ),
    Option(
        "replay",
        "Receive",
        TEXT,
        "Recorded messages in the place of a queue: JSON Lines, one message each as aws sqs receive-message prints it, "
        "or its body alone. * stands for any name, ** for any directories. It ends when nothing is left, and processes "
        "again what has a result. One process, since a crash would begin it anew.",
        default_is="none: a queue is read",
        metavar="FILES",
        targets=("receive.replay",),
    ),
    Option(
        "wait_time_s",
        "Receive",
        INTEGER,
        "How long a poll waits for a message. A long poll costs one request where short ones cost many, and a message "
        "that arrives meanwhile is answered at once.",
        default=10,
        unit="seconds",
        bounds=Bounds(0, SQS_MAX_WAIT_S, "SQS"),
        targets=("receive.wait_time_s",),
    ),
    Option(
        "receivers",
        "Receive",
        INTEGER,
        "Sources that a cluster may spread over its workers, about 4 for each slot of Flink. One process needs one.",
        default=1,
        bounds=Bounds(1, 10_000),
        targets=("receive.receivers",),
    ),
    Option(
        "buckets",
        "Receive",
        BUCKETS,
        "Buckets to process, with commas or repeated; a message about another one is set aside. Others than S3 may be "
        "able to write to the queue. Any bucket, unless set, because not every user knows all of them.",
        default=(),
        default_is="any bucket",
        metavar="NAME,…",
        targets=("receive.buckets",),
    ),
    Option(
        "key_glob",
        "Receive",
        TEXTS,
        "Keys to process, repeatable: * matches also across /, ? one character, [ab] one of them. Other keys are "
        "ignored. In the environment commas separate several, and ? stands for a comma.",
        default=(),
        default_is="every key",
        metavar="GLOB",
        targets=("receive.key_globs",),
    ),
    Option(
        "notification_parser",
        "Receive",
        TEXT,
        "Your function for messages that are not notifications of S3, raw or through SNS or EventBridge.",
        default_is="none: those are understood",
        metavar="MODULE:NAME",
        targets=("receive.notification_parser",),
    ),
    Option(
        "give_up_after",
        "Receive",
        INTEGER,
        "Receives of a message after which a failure that may pass is set aside. The waits between five add up to "
        "150 seconds, and an outage is recognised after less. Less than the maxReceiveCount of the queue, or SQS takes "
        "the message first, without our reason. What crashes and other receivers have made twice as many receives of "
        "is set aside unprocessed, as received_too_often: with 1 at the third, which is little for a live queue.",
        default=5,
        bounds=Bounds(1, 1000),
        targets=("receive.give_up_after", "write.give_up_after"),
    ),
    Option(
        "visibility_timeout_s",
        "Leases",
        INTEGER,
        "How long a message stays hidden after this process has died. While it lives a heartbeat extends this, so a "
        "minute is enough for any object.",
        default=60,
        unit="seconds",
        bounds=Bounds(2, SQS_MAX_VISIBILITY_S, "SQS with the heartbeat"),
        targets=("leases.visibility_timeout_s",),
    ),
    Option(
        "max_in_flight",
        "Leases",
        INTEGER,
        "Messages held at once by a process. Enough to hide the latency of S3, few to wait for after a crash.",
        default=200,
        bounds=Bounds(1, SQS_MAX_IN_FLIGHT, "SQS"),
        targets=("leases.max_in_flight",),
    ),
    Option(
        "max_in_flight_bytes",
        "Leases",
        BYTES,
        "Sizes of the objects in work at once, as notified; a larger one is admitted alone. Keeps large objects from "
        "crowding.",
        default=256 * MIB,
        unit="bytes",
        bounds=Bounds(1),
        targets=("leases.max_in_flight_bytes",),
    ),
    Option(
        "max_processing_s",
        "Leases",
        INTEGER,
        "How long one call of your function may take, and a message be held. Past it the process ends, since a thread "
        "cannot be stopped. An hour is far below the 12 hours for which SQS hides a message in all.",
        default=3600,
        unit="seconds",
        bounds=Bounds(1, SQS_MAX_VISIBILITY_S, "SQS"),
        targets=("leases.max_processing_s", "process.max_processing_s"),
    ),
    Option(
        "retry_base_s",
        "Leases",
        NUMBER,
        "The first wait of a returned message; each further one is twice as long. Short enough for a hiccup.",
        default=10,
        unit="seconds",
        bounds=Bounds(1, SQS_MAX_VISIBILITY_S, "SQS"),
        at_most="retry_max_s",
        targets=("leases.retry_base_s",),
    ),
    Option(
        "retry_max_s",
        "Leases",
        NUMBER,
        "The longest wait of a returned message. A quarter of an hour, so that work resumes soon after a repair.",
        default=900,
        unit="seconds",
        bounds=Bounds(1, SQS_MAX_VISIBILITY_S, "SQS"),
        targets=("leases.retry_max_s",),
    ),
    Option(
        "drain_timeout_s",
        "Leases",
        NUMBER,
        "How long a job that is asked to stop may finish what it has begun. Kubernetes kills after 30 seconds.",
        default=25,
        unit="seconds",
        bounds=Bounds(0, SQS_MAX_VISIBILITY_S),
        targets=("leases.drain_timeout_s",),
    ),
    Option(
        "source_role_arn",
        "Fetch",
        ROLE,
        "A role to assume to read objects, where their buckets are another account's.",
        default_is="none: the job's own credentials",
        metavar="ARN",
        targets=("fetch.source_role_arn",),
    ),
    Option(
        "expected_bucket_owner",
        "Fetch",
        ACCOUNT,
        "The account that the source buckets must be of; of another's, every object is forbidden. Against a bucket "
        "that was deleted, and whose name somebody else took. None, because buckets may be of several accounts.",
        default_is="none: any account",
        metavar="ACCOUNT",
        targets=("fetch.expected_bucket_owner",),
    ),
    Option(
        "fetch_concurrency",
        "Fetch",
        INTEGER,
        "Objects fetched at once. At 30 ms for each request, 96 hide the latency at 2,500 objects a second.",
        default=96,
        bounds=Bounds(1, 256),
        targets=("fetch.concurrency",),
    ),
    Option(
        "objects",
        "Fetch",
        TEXT,
        "With --replay: a directory with the objects as files, DIR/<bucket>/<key>. Then nothing of AWS is asked.",
        default_is="none: S3 is asked",
        metavar="DIR",
        targets=("fetch.objects",),
    ),
    Option(
        "in_memory_bytes",
        "Fetch",
        BYTES,
        "Objects up to this size, inflated, are fetched whole; larger ones stream while your function reads them. Most "
        "log files are smaller.",
        default=4 * MIB,
        unit="bytes",
        bounds=Bounds(1),
        at_most="max_read_bytes",
        targets=("fetch.in_memory_bytes",),
    ),
    Option(
        "max_read_bytes",
        "Fetch",
        BYTES,
        "The most that read() answers, and the longest line; inflated. Memory must have room for it, for each thread "
        "that processes.",
        default=256 * MIB,
        unit="bytes",
        bounds=Bounds(1),
        at_most="max_object_bytes",
        targets=("fetch.max_read_bytes",),
    ),
    Option(
        "max_object_bytes",
        "Fetch",
        BYTES,
        "The largest object, inflated and as stored. Against gzip bombs: a thousandth of it may be enough to send one.",
        default=8 * GIB,
        unit="bytes",
        bounds=Bounds(1),
        targets=("fetch.max_object_bytes",),
    ),
    Option(
        "reprocess",
        "Fetch",
        FLAG,
        "Process again what already has a result, after a change of your function. Off, because a repeated message "
        "should cost nothing.",
        default=False,
        targets=("fetch.reprocess",),
    ),
    Option(
        "processor",
        "Process",
        TEXT,
        "Your function, or a class that is made once for each thread and called for each object. The default counts "
        "lines and bytes.",
        default="transforms.processors:count_lines",
        metavar="MODULE:NAME",
        targets=("process.processor",),
    ),
    Option(
        "process_concurrency",
        "Process",
        INTEGER,
        "Calls of your function at once. One, because only a function that waits on something gains from threads.",
        default=1,
        bounds=Bounds(1, 256),
        targets=("process.concurrency",),
    ),
    Option(
        "processed_at",
        "Process",
        MOMENT,
        "With --replay: the time that results and dead letters tell, so that two runs differ in nothing else.",
        default_is="the time that it is",
        metavar="TIME",
        targets=("receive.received_at", "process.processed_at", "write.failed_at"),
    ),
    Option(
        "output",
        "Write",
        TEXT,
        "Where results go: a directory, or s3://bucket/prefix, gs://… or az://…. Objects under it are never processed.",
        default="output",
        metavar="PLACE",
        targets=("write.output",),
    ),
    Option(
        "dead_letters",
        "Write",
        TEXT,
        "Where failures are set aside, one JSON document each. Beside the results, so that one place needs rights.",
        default_is="_dead_letters under --output",
        metavar="PLACE",
        targets=("write.dead_letters",),
    ),
    Option(
        "output_role_arn",
        "Write",
        ROLE,
        "A role to assume to store results and dead letters on S3, where that bucket is another account's.",
        default_is="none: the job's own credentials",
        metavar="ARN",
        targets=("write.output_role_arn",),
    ),
    Option(
        "fsync",
        "Write",
        FLAG,
        "Directories: delete a message only when its result would outlive a power loss. Off, because it costs a disk "
        "flush for each result; a crash of the process loses nothing either way.",
        default=False,
        targets=("write.fsync",),
    ),
    Option(
        "shared_output",
        "Write",
        FLAG,
        "Clusters: say that every worker sees the same directory. Off, because a directory is usually one machine's.",
        default=False,
        targets=("run.shared_output",),
    ),
    Option(
        "fate",
        "Write",
        FATES,
        "Change what becomes of a kind of failure, repeatable: kind=set_aside, kind=return or kind=ignore. "
        "docs/failures.md has the kinds, and why each has its fate.",
        default=(),
        default_is="the table of docs/failures.md",
        metavar="KIND=FATE",
    ),
    Option(
        "runner",
        "Run",
        one_of(*RUNNERS, ending="Runner"),
        "Where the job runs; DirectRunner is this machine, and needs nothing else.",
        default="DirectRunner",
        metavar="NAME",
        targets=("run.runner",),
    ),
    Option(
        "pipelines",
        "Run",
        INTEGER,
        "DirectRunner: supervised processes, each a whole pipeline with its own source, started again when one "
        "crashes. One, because a function that computes little needs no more. 0 runs in this process, for debugging.",
        default=1,
        bounds=Bounds(0, MAX_PIPELINES),
        targets=("run.pipelines",),
    ),
    Option(
        "drain",
        "Run",
        FLAG,
        "End when the queue has been quiet for --idle_s. Off: the job runs until it is stopped.",
        default=False,
        targets=("run.drain",),
    ),
    Option(
        "idle_s",
        "Run",
        NUMBER,
        "How long a drain waits for one more message: longer than a long poll, since one empty answer of SQS does not "
        "mean an empty queue. After a kill -9 what the dead process held is hidden for --visibility_timeout_s, and a "
        "shorter wait ends before it is back: the next drain has it.",
        default=20,
        unit="seconds",
        bounds=Bounds(1, SQS_MAX_VISIBILITY_S),
    ),
    Option(
        "max_messages",
        "Run",
        INTEGER,
        "End after this many messages, in each process.",
        default_is="no end",
        bounds=Bounds(1),
        targets=("receive.max_messages",),
    ),
    Option(
        "dry_run",
        "Run",
        FLAG,
        "With --backfill: say how many objects and bytes there are and how much is left to do, and do nothing.",
        default=False,
        targets=("run.dry_run",),
    ),
    Option(
        "strict",
        "Run",
        FLAG,
        "With --drain, --replay, --backfill or --max_messages: exit with 1 if anything was set aside or left. Off, "
        "because a dead letter is a regular end of a message.",
        default=False,
        targets=("run.strict",),
    ),
    Option(
        "all_cores",
        "Run",
        FLAG,
        "Let the threads of a process run on any core. Off, because Python's threads take turns, and hand over faster "
        "on one. For a function that computes in native threads of its own (pyarrow, numpy). Linux only.",
        default=False,
        targets=("run.all_cores",),
    ),
    Option(
        "metrics_port",
        "Run",
        INTEGER,
        "Serve a status page, /metrics for Prometheus, /healthz and /readyz at this port, all pipelines together "
        "(docs/metrics.md). Off, because not every machine has a port to spare.",
        default=0,
        default_is="0: off",
        bounds=Bounds(0, MAX_PORT),
        targets=("run.metrics_port",),
    ),
    Option(
        "metrics_address",
        "Run",
        TEXT,
        "Where to listen for that; 0.0.0.0 is every address of this machine. Only this machine, because keys and error "
        "texts are nobody else's business.",
        default="127.0.0.1",
        metavar="ADDRESS",
        targets=("run.metrics_address",),
    ),
    Option(
        "log_level",
        "Run",
        one_of("DEBUG", "INFO", "WARNING", "ERROR"),
        "The least important lines to log; DEBUG has lines for each object, however many.",
        default="INFO",
        metavar="LEVEL",
        targets=("run.log_level",),
    ),
    Option(
        "log_format",
        "Run",
        one_of("text", "json"),
        "text for people, json for machines: one object a line.",
        default="text",
        metavar="NAME",
        targets=("run.log_format",),
    ),
)

BY_NAME = {option.name: option for option in OPTIONS}
