"""Requests and answers of the inits: JSON objects with descriptors, over SOCK_SEQPACKET unix sockets.

One connection carries one request. An answer with "errno" is an OSError; the client raises it.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Sequence
from typing import Any

SOCKET = "init.sock"
INLINE = 32768  # a longer packet travels in a memfd, since a SEQPACKET one must fit into the socket's buffer
MAX_DESCRIPTORS = 250  # SCM_MAX_FD is 253


def listen(directory: int) -> socket.socket:
    """A listening socket in the directory with that descriptor, for root only; replaces one that is dead."""
    # by way of the descriptor, since a path in a socket address has 107 characters at most
    path = f"/proc/self/fd/{directory}/{SOCKET}"
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    os.chmod(path, 0o600)
    listener.listen(128)
    listener.setblocking(False)
    return listener


def accept(listener: socket.socket) -> socket.socket | None:
    """The next connection of root outside of our PID namespace; None when there is none, or when it was refused."""
    try:
        connection, _ = listener.accept()
    except OSError:
        return None
    pid, uid, _ = peer(connection)
    # A process that is not in our namespace or below it has no number here: it shows as 0.
    if uid != 0 or pid != 0:
        connection.close()
        return None
    connection.setblocking(False)
    return connection


def connect(directory: str, *, timeout: float | None) -> socket.socket:
    """A connection to the init whose directory that is. ConnectionError or FileNotFoundError when it is gone."""
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.settimeout(timeout)
        connection.connect(f"/proc/self/fd/{descriptor}/{SOCKET}")
    except BaseException:
        connection.close()
        raise
    finally:
        os.close(descriptor)
    return connection


def peer(connection: socket.socket) -> tuple[int, int, int]:
    """(pid, uid, gid) of the other side when it connected, or listened (SO_PEERCRED, unix(7))."""
    pid, uid, gid = struct.unpack("iii", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return pid, uid, gid


def send(connection: socket.socket, packet: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
    """Sends one packet. The descriptors stay open here."""
    data = json.dumps(packet).encode()
    if len(data) <= INLINE:
        socket.send_fds(connection, [data], list(descriptors))
        return
    memory = os.memfd_create("packet")
    try:
        with os.fdopen(os.dup(memory), "wb") as file:
            file.write(data)
        socket.send_fds(connection, [b"memfd"], [memory, *descriptors])
    finally:
        os.close(memory)


def receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """The next packet and its descriptors, which the caller closes. EOFError at the end, BlockingIOError if none."""
    data, descriptors, _, _ = socket.recv_fds(connection, INLINE + 1, MAX_DESCRIPTORS)
    if not data:
        raise EOFError("the connection was closed")
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    if data == b"memfd":
        with os.fdopen(descriptors.pop(0), "rb") as file:
            file.seek(0)
            data = file.read()
    packet: dict[str, Any] = json.loads(data)
    return packet, descriptors


def request(directory: str, packet: dict[str, Any], descriptors: Sequence[int] = (), *, timeout: float = 30.0,
            ) -> tuple[dict[str, Any], list[int]]:
    """What the init of that directory answers. OSError as it says; ConnectionError when it is gone."""
    try:
        with connect(directory, timeout=timeout) as connection:
            send(connection, packet, descriptors)
            answer, received = receive(connection)
    except (FileNotFoundError, EOFError) as error:
        raise ConnectionResetError(f"no init answers in {directory}: {error}") from None
    raise_error(answer)
    return answer, received


def refusal(error: Exception) -> dict[str, Any]:
    """The answer that makes the client raise that error."""
    if isinstance(error, OSError) and error.errno:
        return {"errno": error.errno, "text": error.strerror, "file": error.filename}
    return {"errno": 22, "text": f"{type(error).__name__}: {error}"}


def raise_error(answer: dict[str, Any]) -> None:
    """Raises the OSError that an answer carries, if any."""
    if "errno" in answer:
        if file := answer.get("file"):
            raise OSError(answer["errno"], answer["text"], file)
        raise OSError(answer["errno"], answer["text"])
