"""Rows into PostgreSQL, exactly once for each (bucket, key, ETag).

    export DATABASE_URL=postgresql://loader@db.example.com/shop
    psql "$DATABASE_URL" -f to_postgres.sql
    pip install 'psycopg[binary]'
    python -m pipeline --runner=DirectRunner --processor=to_postgres:Load --process_concurrency=4

The job delivers at least once: a message may come twice, and a process die between its commit and its delete. So the
rows and a marker that names the object are one transaction, and whoever finds the marker adds nothing.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from transforms.contents import Fetched

MARK = "INSERT INTO loads (bucket, key, etag) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"
COUNT = "UPDATE loads SET orders = %s WHERE (bucket, key, etag) = (%s, %s, %s)"
COUNTED = "SELECT orders FROM loads WHERE (bucket, key, etag) = (%s, %s, %s)"
COPY = "COPY orders (number, customer, cents) FROM STDIN"


class Load:
    """Loads orders from JSON Lines. The job makes one for each thread that processes, and each has one connection."""

    def __init__(self) -> None:
        """Connect. What this raises is the object's failure: its message comes back, and this is tried again."""
        self._database = _connect()

    def __call__(self, content: Fetched) -> dict[str, Any]:
        """Load one object, or find that it is loaded; the answer is the same.

        Raises `psycopg.Error`, and whatever is wrong with a row or the content. Nothing of the object is there then.
        """
        if self._database.closed:  # by a restart of the server, or a cut: the message that met it comes back
            self._database = _connect()
        identity = (content.ref.bucket, content.ref.key, content.ref.etag)
        with self._database.transaction(), self._database.cursor() as cursor:
            # A copy that is being loaded elsewhere is waited for here, until that transaction has ended.
            if cursor.execute(MARK, identity).rowcount:
                with cursor.copy(COPY) as copy:
                    for line in content.lines():  # to the end, where a checksum would fail, before the commit
                        order = json.loads(line)
                        copy.write_row((order["order"], order["customer"], order["cents"]))
                cursor.execute(COUNT, (cursor.rowcount, *identity))
            (orders,) = cursor.execute(COUNTED, identity).fetchone() or (0,)
        return {"orders": orders}

    def close(self) -> None:
        """Close the connection; the job calls this at its end."""
        self._database.close()


def _connect() -> psycopg.Connection[tuple[Any, ...]]:
    return psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=10, autocommit=True)
