"""The store's log: one SQLite table of objects and the revision counter."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from netlab.model.errors import ApiError, LabError
from netlab.model.meta import ObjectKey

_SCHEMA = """
create table if not exists objects (
    resource text, namespace text, name text, revision integer not null, data blob not null,
    primary key (resource, namespace, name)) without rowid;
create table if not exists counter (id integer primary key check (id = 1), revision integer not null);
insert or ignore into counter values (1, 0);
"""


class Log:
    """Objects on disk. WAL with synchronous=NORMAL: an acknowledged write survives the death of the process.

    A file that is damaged is set aside, never deleted; `warning` then says so.
    """

    def __init__(self, path: Path) -> None:
        self.warning = ""
        try:
            self._connection = self._open(path)
        except sqlite3.OperationalError as error:  # a full disk or the like, not what is in the file
            raise LabError(f"{path} cannot be opened: {error}", hint=f"df {path.parent}", exit_code=3) from None
        except sqlite3.DatabaseError as error:
            number = 1
            while (aside := path.with_name(f"{path.name}.corrupt-{number}")).exists():
                number += 1
            path.rename(aside)
            for suffix in ("-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            self.warning = f"{path} is damaged ({error}); it was set aside as {aside} and the lab starts empty"
            self._connection = self._open(path)

    @staticmethod
    def _open(path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            connection.execute("pragma journal_mode=wal")
            connection.execute("pragma synchronous=normal")
            verdict = connection.execute("pragma quick_check").fetchone()[0]
            if verdict != "ok":
                raise sqlite3.DatabaseError(verdict)
            connection.executescript(_SCHEMA)
        except sqlite3.DatabaseError:
            connection.close()
            raise
        return connection

    @property
    def revision(self) -> int:
        """The last revision given out, deletions included."""
        return int(self._connection.execute("select revision from counter").fetchone()[0])

    def objects(self) -> Iterator[tuple[ObjectKey, int, bytes]]:
        """Every object with its revision and JSON."""
        for resource, namespace, name, revision, data in self._connection.execute("select * from objects"):
            yield ObjectKey(resource, namespace, name), revision, data

    def put(self, key: ObjectKey, revision: int, data: bytes) -> None:
        """Writes an object and the counter in one transaction."""
        self._commit("insert or replace into objects values (?, ?, ?, ?, ?)", (*key, revision, data), revision)

    def delete(self, key: ObjectKey, revision: int) -> None:
        """Removes an object and counts the deletion."""
        self._commit("delete from objects where resource = ? and namespace = ? and name = ?", key, revision)

    def _commit(self, statement: str, values: tuple[object, ...], revision: int) -> None:
        execute = self._connection.execute
        execute("begin")
        try:
            execute(statement, values)
            execute("update counter set revision = ?", (revision,))
            execute("commit")
        except BaseException as error:
            if self._connection.in_transaction:
                execute("rollback")
            if isinstance(error, sqlite3.OperationalError):
                raise ApiError(507, "InsufficientStorage", f"the lab's state cannot be written: {error}") from None
            raise

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()
