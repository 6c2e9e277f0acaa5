"""The logs of containers: what pods/log answers."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

from netlab.api.registry import Registry
from netlab.api.response import LogRequest
from netlab.controllers.kubelet import log_choice
from netlab.controllers.kubelet.launching import log_file
from netlab.model import meta
from netlab.model.errors import bad_request
from netlab.model.meta import Manifest
from netlab.topology import names

BLOCK = 64 * 1024
POLL = 0.1  # seconds between looks at a followed file: containers write to it directly, nobody tells of it


class PodLogs:
    """Gives the logs of a lab's pods. `run_dir` is the lab's unless a test says otherwise.

    Lines carry no time on disk. With timestamps, what was there gets the time of the file's last write, and what is
    followed the time at which it was seen; since works on whole files in the same way.
    """

    def __init__(self, registry: Registry, run_dir: Path | None = None) -> None:
        self._registry = registry
        self._pods = (run_dir or names.run_dir(registry.spec.name)) / "pods"

    async def __call__(self, wanted: LogRequest) -> AsyncGenerator[bytes, None]:
        """The log's bytes, as they come when it is followed, until that run of the container ends.

        Raises ApiError before the first piece: 404 for the pod, 400 for a run that there is not.
        """
        pod = self._registry.get("pods", wanted.pod, wanted.namespace)
        attempt = log_choice.choose_attempt(pod, wanted.container, previous=wanted.previous)
        path = log_file(self._pods / meta.uid(pod), wanted.container, attempt)
        left = wanted.limit_bytes
        async for block in self._read(path, pod, attempt, wanted):
            yield block if left is None else block[:left]
            if left is not None:
                left -= len(block)
                if left <= 0:
                    return

    async def _read(self, path: Path, pod: Manifest, attempt: int, wanted: LogRequest) -> AsyncIterator[bytes]:
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return
        with file:
            written = os.fstat(file.fileno()).st_mtime
            if written < _begin(wanted):
                file.seek(0, os.SEEK_END)
            elif wanted.tail_lines is not None:
                file.seek(_tail_offset(path, wanted.tail_lines))
            stamper = _Stamper(wanted)
            while block := file.read(BLOCK):
                yield stamper.stamp(block, written)
                await asyncio.sleep(0)
            while wanted.follow:
                # Asked before the last read: what a container wrote before its end is not missed.
                over = not self._runs(pod, wanted.container, attempt)
                while block := file.read(BLOCK):
                    yield stamper.stamp(block, time.time())
                if over:
                    return
                await asyncio.sleep(POLL)

    def _runs(self, pod: Manifest, container: str, attempt: int) -> bool:
        now = self._registry.find("pods", meta.name(pod), meta.namespace(pod))
        return now is not None and meta.uid(now) == meta.uid(pod) and log_choice.still_runs(now, container, attempt)


class _Stamper:
    """Puts the time before each line where that is wanted, also when lines come in pieces."""

    def __init__(self, wanted: LogRequest) -> None:
        self._active = wanted.timestamps
        self._fresh = True

    def stamp(self, block: bytes, moment: float) -> bytes:
        if not self._active:
            return block
        prefix = log_choice.stamp(moment).encode() + b" "
        fresh, self._fresh = self._fresh, block.endswith(b"\n")
        lines = block.removesuffix(b"\n").split(b"\n")
        text = (b"\n" + prefix).join(lines) + (b"\n" if self._fresh else b"")
        return prefix + text if fresh else text


def _begin(wanted: LogRequest) -> float:
    """The Unix time before which nothing is wanted."""
    if wanted.since_seconds is not None:
        return time.time() - wanted.since_seconds
    try:
        return meta.parse_time(wanted.since_time).timestamp() if wanted.since_time else 0.0
    except ValueError:
        raise bad_request(f'parsing time "{wanted.since_time}": it is not RFC 3339') from None


def _tail_offset(path: Path, lines: int) -> int:
    """Where the last `lines` lines of the file begin."""
    with path.open("rb") as file:
        end = position = file.seek(0, os.SEEK_END)
        if lines == 0:
            return end
        found = 0
        while position > 0:
            size = min(BLOCK, position)
            position -= size
            file.seek(position)
            block = file.read(size)
            for index in range(size - 1, -1, -1):
                if block[index] == 0x0A and position + index != end - 1:  # not the one that ends the last line
                    found += 1
                    if found == lines:
                        return position + index + 1
        return 0
