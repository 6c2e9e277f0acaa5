"""The API on unix sockets and by TLS: HTTP/1.1 connections around `netlab.api`.

One `asyncio.Protocol` per connection, parsed by httptools. A plain request is answered within `data_received`, without
a task; watches, logs and extra routes are a task each, one at a time per connection.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from netlab.api.handlers import Api
from netlab.api.registry import Registry
from netlab.api.request import Request
from netlab.api.response import LogRequest, Response
from netlab.model.errors import LabError
from netlab.server.http_connection import Connection
from netlab.server.proxy import Proxy
from netlab.server.streams import Streams

if TYPE_CHECKING:
    import ssl

    from netlab.server.door import Door

Logs = Callable[[LogRequest], AsyncIterator[bytes]]
"""Gives the bytes of a container's log; it may raise ApiError before its first piece."""
ExtraRoute = Callable[[Request], Awaitable[Response]]


class ApiServer:
    """The API of a registry on any number of sockets. `extra_routes` are whole paths outside of /api and /apis.

    Every unix socket is of mode 0600 and serves root and the server's own user only, whoever could open it.
    """

    def __init__(self, registry: Registry, *, logs: Logs | None = None, streams: Streams | None = None,
                 proxy: Proxy | None = None,
                 extra_routes: Mapping[str, ExtraRoute] | None = None) -> None:
        self.api = Api(registry, on_bug=_print_bug)
        self.logs = logs
        self.streams = streams
        self.proxy = proxy
        self.extra_routes = dict(extra_routes or {})
        self.connections: set[Connection] = set()
        self.requests = 0
        self.seconds = 0.0  # of processor time, until they were answered or left to a task
        self._servers: dict[Path, tuple[asyncio.Server, int]] = {}
        self._tls: list[asyncio.Server] = []

    async def start(self, path: Path | str, *, read_only: bool = False) -> None:
        """Listens at `path`; what a dead server left there is replaced. LabError when a server is alive there.

        A read-only socket serves get, list and watch, and refuses everything else with 403.
        """
        place = Path(path)
        _remove_stale(place)
        listener = _bind(place)
        inode = os.stat(place).st_ino
        loop = asyncio.get_running_loop()
        server = await loop.create_unix_server(lambda: Connection(self, read_only=read_only), sock=listener,
                                               backlog=1024)
        self._servers[place] = server, inode

    async def start_tls(self, listener: socket.socket, context: ssl.SSLContext, door: Door) -> None:
        """Serves HTTPS to those whom the door lets in. The listener is closed with the server."""
        loop = asyncio.get_running_loop()
        self._tls.append(await loop.create_server(lambda: Connection(self, door=door), sock=listener, ssl=context,
                                                  backlog=1024, ssl_handshake_timeout=10.0))

    async def close(self) -> None:
        """Stops listening, ends every connection, and removes the socket files."""
        for listening in self._tls:
            listening.close()
        self._tls.clear()
        for place, (server, inode) in self._servers.items():
            server.close()
            if place.exists() and os.stat(place).st_ino == inode:
                place.unlink()
        self._servers.clear()
        tasks = [task for connection in tuple(self.connections) if (task := connection.abort())]
        await asyncio.gather(*tasks, return_exceptions=True)


def _bind(place: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o177)
    try:
        listener.bind(str(place))
    except OSError as error:
        listener.close()
        raise LabError(f"cannot listen at {place}: {error.strerror or error}", exit_code=3) from None
    finally:
        os.umask(mask)
    return listener


def _remove_stale(place: Path) -> None:
    try:
        if not stat.S_ISSOCK(os.lstat(place).st_mode):
            raise LabError(f"{place} exists and is no socket", exit_code=3)
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(place))
        except ConnectionRefusedError:
            place.unlink(missing_ok=True)
            return
        except OSError as error:
            raise LabError(f"cannot tell if a server is alive at {place}: {error}", exit_code=3) from None
    raise LabError(f"a server listens at {place} already", hint="netlab status", exit_code=3)


def _print_bug(error: Exception) -> None:
    print("netlab: the API server met an error that it did not foresee:", file=sys.stderr)
    traceback.print_exception(error)
