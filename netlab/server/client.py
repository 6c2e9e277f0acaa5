"""A blocking client of the lab's API over its unix socket.

Used by the command line, scenarios and the DNS server; it imports little, so that a command starts fast.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from netlab.model.errors import ApiError, LabError
from netlab.model.meta import Manifest

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


class ApiClient:
    """Requests to one API socket; each call uses a connection that is kept open between calls."""

    def __init__(self, path: Path | str, *, timeout: float | None = 30.0) -> None:
        self.path = str(path)
        self.timeout = timeout
        self._connection: _Connection | None = None

    def request(self, method: str, path: str, body: Any = None, *, accept: str = JSON, content_type: str = JSON,
                ) -> bytes:
        """The response's body. ApiError with the server's Status when the code is 400 or above."""
        for last_try in (False, True):
            connection = self._connection or _Connection(self.path, self.timeout)
            reused, self._connection = self._connection is not None, None
            try:
                connection.send(method, path, body, accept=accept, content_type=content_type)
                code, headers = connection.head()
            except (ConnectionError, EOFError) as error:
                connection.close()
                if reused and not last_try:
                    continue
                raise LabError(f"the API server at {self.path} closed the connection: {error}",
                               hint="netlab status", exit_code=5) from None
            data = b"".join(connection.body(headers))
            if headers.get("connection", "").lower() == "close":
                connection.close()
            else:
                self._connection = connection
            if code >= 400:
                raise _error(code, data)
            return data
        raise AssertionError("unreachable")

    def json(self, method: str, path: str, body: Any = None, *, accept: str = JSON, content_type: str = JSON) -> Any:
        """The response's body, decoded."""
        return json.loads(self.request(method, path, body, accept=accept, content_type=content_type))

    def get(self, path: str) -> Manifest:
        """GET, decoded."""
        answer: Manifest = self.json("GET", path)
        return answer

    def watch(self, path: str, revision: str = "", *, timeout: float | None = None, accept: str = JSON,
              ) -> Iterator[Manifest]:
        """The events ({"type", "object"}) of a collection after `revision`, until the server ends the stream.

        Without a revision the present objects come first, as ADDED. A connection of its own, so that other
        requests go on; TimeoutError when nothing comes for `timeout` seconds. ERROR events are given like others.
        """
        query = f"{'&' if '?' in path else '?'}watch=true" + (f"&resourceVersion={revision}" if revision else "")
        connection = _Connection(self.path, timeout)
        try:
            connection.send("GET", path + query, accept=accept)
            code, headers = connection.head()
            if code >= 400:
                raise _error(code, b"".join(connection.body(headers)))
            rest = b""
            for piece in connection.body(headers):
                *lines, rest = (rest + piece).split(b"\n")
                for line in filter(None, lines):
                    yield json.loads(line)
        finally:
            connection.close()

    def stream(self, path: str, *, timeout: float | None = None) -> Iterator[bytes]:
        """The body of a GET in pieces as they arrive (followed logs)."""
        connection = _Connection(self.path, timeout)
        try:
            connection.send("GET", path)
            code, headers = connection.head()
            if code >= 400:
                raise _error(code, b"".join(connection.body(headers)))
            yield from connection.body(headers)
        finally:
            connection.close()

    def close(self) -> None:
        """Closes the kept connection."""
        if self._connection:
            self._connection.close()
            self._connection = None


def _error(code: int, data: bytes) -> ApiError:
    try:
        status = json.loads(data)
        return ApiError(code, status.get("reason", ""), status.get("message", ""), details=status.get("details"))
    except (ValueError, AttributeError):
        return ApiError(code, "", data.decode(errors="replace").strip())


class _Connection:
    """One HTTP/1.1 connection: send a request, read its head, then its body to the end."""

    def __init__(self, path: str, timeout: float | None) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        try:
            self._socket.connect(path)
        except PermissionError:
            self._socket.close()
            raise LabError(f"no access to {path}: a lab belongs to root", hint="use sudo", exit_code=3) from None
        except OSError as error:
            self._socket.close()
            lab = Path(path).parent.parent.name  # the socket lies in the lab's run directory
            raise LabError(f"no API server answers at {path}: {error.strerror}", hint=f"netlab up --name {lab}",
                           exit_code=4) from None
        self._file = self._socket.makefile("rb")

    def send(self, method: str, path: str, body: Any = None, *, accept: str = JSON, content_type: str = JSON) -> None:
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\nUser-Agent: netlab\r\n"
        if data:
            head += f"Content-Type: {content_type}\r\nContent-Length: {len(data)}\r\n"
        self._socket.sendall(head.encode() + b"\r\n" + data)

    def head(self) -> tuple[int, Mapping[str, str]]:
        first = self._file.readline()
        if not first:
            raise EOFError("no answer")
        headers = {}
        while (line := self._file.readline()) not in (b"\r\n", b"\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        return int(first.split()[1]), headers

    def body(self, headers: Mapping[str, str]) -> Iterator[bytes]:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            while size := int(self._file.readline().split(b";")[0] or b"0", 16):
                yield self._file.read(size)
                self._file.readline()
            self._file.readline()
        elif "content-length" in headers:
            yield self._file.read(int(headers["content-length"]))
        else:
            yield from iter(lambda: self._file.read1(65536), b"")

    def close(self) -> None:
        self._file.close()
        self._socket.close()
