"""A PostgreSQL server to try things on: the real one, in a temporary directory, behind a socket that is only ours."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from beside import Beside, MissingError
from terminal import say, step

if TYPE_CHECKING:
    from collections.abc import Iterator

USER = "loader"
TABLES = Path(__file__).with_name("to_postgres.sql")
START_S = 60
STOP_S = 15
UNTIL_NOBODY_LISTENS = 'exec 3<&0; "$@" & server=$!; { cat <&3; kill -INT $server; } & wait $server'
"""Its standard input ends with whoever started it, however that one ended; so the server does not outlive it."""
AS = """
import os, sys
os.setgroups([])
os.setgid(int(sys.argv[2]))
os.setuid(int(sys.argv[1]))
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Popen's own `user` forks the whole process first, and threads of gRPC that run in it can end such a copy."""
LOADED = """
SELECT (SELECT count(*) FROM orders), (SELECT count(DISTINCT number) FROM orders), (SELECT count(*) FROM loads)
"""


@dataclass(frozen=True, slots=True)
class LocalPostgres:
    """A running server."""

    url: str
    process: subprocess.Popen[Any]

    @classmethod
    def start(cls, directory: Path) -> LocalPostgres:
        """Make a database in `directory`, which is empty and short to name, and serve it.

        Raises `MissingError` if PostgreSQL is not installed, `RuntimeError` with its own words if it does not start.
        """
        programs, who = find_programs(), _owner(directory)
        _make_database(programs, directory, who)
        log = directory / "log"
        with log.open("wb") as words:
            process = subprocess.Popen(
                [*who, "/bin/sh", "-c", UNTIL_NOBODY_LISTENS, "sh", programs / "postgres", *_settings(directory)],
                cwd=directory,
                stdin=subprocess.PIPE,
                stdout=words,
                stderr=words,
                start_new_session=True,
            )
        server = cls(f"postgresql:///postgres?host={directory}&user={USER}", process)
        try:
            server._wait_until_it_answers(log)
        except BaseException:
            server.stop()
            raise
        return server

    def stop(self) -> None:
        """End the server, by force if it does not end when asked."""
        if self.process.stdin:
            self.process.stdin.close()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def make_tables(self) -> None:
        """Make the tables of the example."""
        with psycopg.connect(self.url) as database:
            database.execute(TABLES.read_text(encoding="utf-8").encode())

    def seen(self) -> dict[str, int]:
        """Answer what is in the tables."""
        with psycopg.connect(self.url) as database:
            rows, orders, loads = database.execute(LOADED).fetchone() or (0, 0, 0)
        return {"rows": rows, "different orders": orders, "objects loaded": loads}

    def _wait_until_it_answers(self, log: Path) -> None:
        gives_up_at = time.monotonic() + START_S
        while True:
            try:
                psycopg.connect(self.url).close()
            except psycopg.OperationalError as error:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(0.1)
                if self.process.poll() is not None or time.monotonic() > gives_up_at:
                    raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text(errors='replace')}") from error
            else:
                return


@contextlib.contextmanager
def postgres(_output: Path) -> Iterator[Beside]:
    """Serve until the end of the `with`; what was loaded is gone with it."""
    step("Starting PostgreSQL, with the tables of examples/to_postgres.sql")
    with tempfile.TemporaryDirectory(prefix="postgres-") as directory:
        server = LocalPostgres.start(Path(directory))
        try:
            server.make_tables()
            say(f"listening in {directory}")
            yield Beside(server.seen, {"DATABASE_URL": server.url})
        finally:
            server.stop()


def _make_database(programs: Path, directory: Path, who: list[str]) -> None:
    options = [f"--pgdata={directory / 'data'}", f"--username={USER}", "--auth=trust", "--no-sync"]
    made = subprocess.run(
        [*who, programs / "initdb", *options, "--encoding=UTF8", "--locale=C"],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise RuntimeError(f"initdb failed:\n{made.stderr}")


def _settings(directory: Path) -> list[str]:
    """No network, and no care for a power loss: it is gone in a minute anyway."""
    settings = {"listen_addresses": "", "unix_socket_directories": directory, "fsync": "off", "shared_buffers": "16MB"}
    return ["-D", str(directory / "data"), *(f"--{name}={value}" for name, value in settings.items())]


def find_programs() -> Path:
    """Find where `initdb` and `postgres` are, the newest version first; Debian does not put them on the path."""
    found = shutil.which("initdb")
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if not found and not versions:
        raise MissingError("PostgreSQL is not installed; on Debian and Ubuntu, apt-get install postgresql brings it.")
    return Path(found).resolve().parent if found else versions[-1].parent


def _owner(directory: Path) -> list[str]:
    """Name the user to run it as, and give `directory` to it: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            os.chown(directory, user.pw_uid, user.pw_gid)
            return [sys.executable, "-ISc", AS, str(user.pw_uid), str(user.pw_gid)]
    raise MissingError("PostgreSQL does not run as root, and there is no user postgres or nobody to run it as.")
