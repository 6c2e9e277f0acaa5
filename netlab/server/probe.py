"""The question of a load balancer to a node: are you well?"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from netlab.kernel import sockets
from netlab.model.family import with_port

LIMIT = 1.0  # seconds


def probe_from(netns: str) -> Callable[[str, int], Awaitable[bool | None]]:
    """What asks from that netns whether GET /healthz at an address and port is answered by 200; None: not at all."""

    async def ask(address: str, port: int) -> bool | None:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(LIMIT):
                with sockets.tcp(netns, sockets.family_of(address)) as made:
                    loop = asyncio.get_running_loop()
                    await loop.sock_connect(made, (address, port))
                    await loop.sock_sendall(made, f"GET /healthz HTTP/1.1\r\nHost: {with_port(address, port)}\r\n"
                                                  "User-Agent: netlab-load-balancer\r\nConnection: close\r\n\r\n"
                                            .encode())
                    head = b""
                    while b"\r\n" not in head and (data := await loop.sock_recv(made, 4096)):
                        head += data
                    return head.split(b" ")[1:2] == [b"200"]
        return None

    return ask
