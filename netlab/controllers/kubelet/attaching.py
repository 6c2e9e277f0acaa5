"""Sessions with containers that wait for somebody to attach to their stdin: `kubectl run -it`.

Such a container's process holds its place; the program itself runs as an exec session with the caller's terminal,
and its exit code becomes the container's.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from netlab.controllers.kubelet.threads import blocking
from netlab.kernel import sockets

FILE = "attach.json"
AGAIN = 0.02  # seconds


@dataclass(frozen=True)
class Interactive:
    """What an attached session runs, and where the process that holds its place hears of its end.

    `address` is an abstract unix address in `netns`, the pod's (or, on the host network, its node's).
    """

    argv: tuple[str, ...]
    netns: str
    address: str

    @property
    def process(self) -> str:
        """The name of the process that holds the place."""
        return PurePosixPath(self.address).name


def announce(directory: Path, container: str, session: Interactive) -> None:
    """Makes the session known in the pod's directory."""
    (directory / container / FILE).write_text(json.dumps(asdict(session)))


def find(directory: Path, container: str) -> Interactive | None:
    """The session that waits in the container, None when it is not interactive."""
    try:
        found = json.loads((directory / container / FILE).read_text())
    except (OSError, ValueError):
        return None
    return Interactive(tuple(found["argv"]), found["netns"], found["address"])


def ended(session: Interactive, code: int) -> bool:
    """Tells the container the exit code of its session. False: nobody listens there, not yet or not any more."""
    try:
        with sockets.abstract_datagram(session.netns) as made:
            made.sendto(str(code).encode(), "\0" + session.address)
    except OSError:
        return False
    return True


async def end(session: Interactive, code: int, *, runs: Callable[[], bool]) -> None:
    """Ends the container with the session's exit code; fine if it has ended already.

    A short session may be over before the container's own process listens: while that process `runs`, it is told again.
    """
    def over() -> bool:
        return ended(session, code) or not runs()

    while not await blocking(over):
        await asyncio.sleep(AGAIN)
