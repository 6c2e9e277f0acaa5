"""Makes probes: requests from the node's netns to the pod, or a program in the container."""

from __future__ import annotations

import asyncio
import errno
import os
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

from netlab.controllers.kubelet.doors import PodHandle
from netlab.controllers.kubelet.probes import Probe, port_number, url
from netlab.controllers.kubelet.threads import patient
from netlab.kernel import sockets
from netlab.model.family import with_port

USER_AGENT = "kube-probe/1.33"
TIMEOUT = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
MAX_OUTPUT = 10 * 1024

Outcome = tuple[bool, str]
"""Success, and the text for the Unhealthy event."""


async def probe(one: Probe, container: Mapping[str, Any], *, netns: str, address: str,
                handle: Callable[[], PodHandle | None]) -> Outcome:
    """The outcome of one attempt; `handle` gives a handle of its own on the pod, for exec."""
    ports = container.get("ports") or ()
    try:
        if one.handler == "httpGet":
            return await http_get(one.target, ports, netns=netns, address=address, limit=one.timeout)
        if one.handler == "tcpSocket":
            port = port_number(one.target.get("port"), ports)
            return await tcp_socket(str(one.target.get("host") or address), port, netns=netns, limit=one.timeout)
        if one.handler == "exec":
            command = one.target.get("command") or ()
            return await exec_in(container["name"], tuple(command), handle, limit=one.timeout)
    except (ValueError, OSError) as error:
        return False, str(error)
    return False, "gRPC probes are not available in a lab: use httpGet, tcpSocket or exec"


async def tcp_socket(host: str, port: int, *, netns: str, limit: float) -> Outcome:
    """Whether something accepts connections there."""
    made = sockets.tcp(netns, sockets.family_of(host))
    try:
        async with asyncio.timeout(limit):
            await asyncio.get_running_loop().sock_connect(made, (host, port))
    except TimeoutError:
        return False, f"dial tcp {with_port(host, port)}: i/o timeout"
    except OSError as error:
        return False, f"dial tcp {with_port(host, port)}: {dial_error(error)}"
    finally:
        made.close()
    return True, ""


async def http_get(target: Mapping[str, Any], ports: Any, *, netns: str, address: str, limit: float) -> Outcome:
    """Whether GET answers with 200 to 399."""
    port = port_number(target.get("port"), ports)
    shown = url(target, address=address, port=port)
    host = str(target.get("host") or address)
    try:
        async with asyncio.timeout(limit):
            code, body = await _get(target, host, port, shown, netns)
    except TimeoutError:
        return False, f'Get "{shown}": {TIMEOUT}'
    except OSError as error:
        return False, f'Get "{shown}": dial tcp {with_port(host, port)}: {dial_error(error)}'
    except (EOFError, ValueError, asyncio.IncompleteReadError):
        return False, f'Get "{shown}": EOF'
    if 200 <= code < 400:
        return True, body
    return False, f"HTTP probe failed with statuscode: {code}"


async def _get(target: Mapping[str, Any], host: str, port: int, shown: str, netns: str) -> tuple[int, str]:
    secure = None
    if str(target.get("scheme") or "HTTP").upper() == "HTTPS":
        import ssl
        secure = ssl.create_default_context()
        secure.check_hostname = False  # probes do not verify certificates
        secure.verify_mode = ssl.CERT_NONE
    made = sockets.tcp(netns, sockets.family_of(host))
    try:
        await asyncio.get_running_loop().sock_connect(made, (host, port))
        reader, writer = await asyncio.open_connection(sock=made, ssl=secure, server_hostname=host if secure else None)
    except BaseException:
        made.close()
        raise
    try:
        headers = {"Host": shown.split("/")[2], "User-Agent": USER_AGENT, "Accept": "*/*", "Connection": "close"}
        headers |= {h["name"]: h.get("value", "") for h in target.get("httpHeaders") or ()}
        path = "/" + shown.split("/", 3)[3]
        text = f"GET {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items()) + "\r\n"
        writer.write(text.encode())
        first = (await reader.readuntil(b"\r\n")).split()
        return int(first[1]), ""
    finally:
        writer.close()


async def exec_in(container: str, command: tuple[str, ...], handle: Callable[[], PodHandle | None], *,
                  limit: float) -> Outcome:
    """Whether the program ends with 0 in time; the text is what it printed."""

    def work() -> Outcome:
        pod = handle()
        if pod is None:
            return False, "the pod is not running"
        with tempfile.TemporaryFile() as output, open(os.devnull, "rb") as nothing:
            code = pod.exec(command, stdin=nothing.fileno(), stdout=output.fileno(), stderr=output.fileno(),
                            container=container, limit=limit)
            output.seek(0)
            text = output.read(MAX_OUTPUT).decode(errors="replace")
        if code == 124:
            return False, f'command timed out: "{" ".join(command)}" timed out after {limit:g}s'
        return code == 0, text or (f"command exited with {code}" if code else "")

    try:
        return await patient(work)
    except OSError as error:
        return False, f"{error.strerror or error}"


def dial_error(error: OSError) -> str:
    """The kernel's answer in the words of Go's net package."""
    words = {errno.ECONNREFUSED: "connect: connection refused", errno.EHOSTUNREACH: "connect: no route to host",
             errno.ENETUNREACH: "connect: network is unreachable", errno.ECONNRESET: "read: connection reset by peer"}
    return words.get(error.errno or 0, f"connect: {(error.strerror or str(error)).lower()}")
