"""The kubelets' side of exec, attach and port-forward."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import socket
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from netlab.api.registry import Registry
from netlab.api.response import LogRequest, StreamRequest
from netlab.controllers.kubelet import attaching
from netlab.controllers.kubelet.containers import STATUS_FIELDS, every_container
from netlab.controllers.kubelet.launching import log_file
from netlab.controllers.kubelet.logs import PodLogs
from netlab.controllers.kubelet.threads import blocking
from netlab.kernel import exec_streams, sockets
from netlab.kernel.exec_streams import ExecStreams
from netlab.kernel.pods import Pod
from netlab.model import meta
from netlab.model.meta import Manifest
from netlab.topology import names

DIAL_LIMIT = 30.0  # seconds


class PodStreams:
    """Streams to the pods of a lab. `run_dir` is the lab's unless a test says otherwise."""

    def __init__(self, registry: Registry, logs: PodLogs, run_dir: Path | None = None) -> None:
        self._registry, self._logs = registry, logs
        self._pods = (run_dir or names.run_dir(registry.spec.name)) / "pods"

    async def start(self, wanted: StreamRequest, size: tuple[int, int] | None,
                    ) -> ExecStreams | AsyncGenerator[bytes, None]:
        """The program of an exec, or of a session that waits to be attached to; else the container's log.

        OSError, in the words of a container runtime, when it cannot be started.
        """
        argv, log = wanted.command, ""
        container = self._container(wanted)
        if wanted.kind == "attach":
            session = attaching.find(self._pods / wanted.uid, wanted.container)
            if session is None or not wanted.stdin:
                return self._follow(wanted, container)
            argv = session.argv
            log = str(self._log(wanted))

        def run() -> ExecStreams:
            pod = Pod.attach(str(self._pods / wanted.uid))
            if pod is None:
                raise OSError(errno.ESRCH, f'container not found ("{wanted.container}")')
            return exec_streams.start(pod, argv, container=wanted.container, cwd=container.get("workingDir") or "/",
                                      stdin=wanted.stdin, stdout=wanted.stdout, stderr=wanted.stderr, size=size,
                                      log=log)

        work = asyncio.ensure_future(blocking(run))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:  # the client is gone, the program comes nevertheless
            await asyncio.wait([work])
            if not work.cancelled() and work.exception() is None:
                work.result().close()
            raise
        except OSError as error:
            raise OSError(error.errno, _runtime_words(error, wanted)) from None

    def _pod(self, wanted: StreamRequest) -> Manifest | None:
        pod = self._registry.find("pods", wanted.pod, wanted.namespace)
        return pod if pod is not None and meta.uid(pod) == wanted.uid else None

    def _container(self, wanted: StreamRequest) -> dict[str, Any]:
        return next((c for c in every_container(self._pod(wanted) or {}) if c["name"] == wanted.container), {})

    def _log(self, wanted: StreamRequest) -> Path:
        """Where the container's process would write."""
        pod = self._pod(wanted) or {}
        count = next((int(status.get("restartCount") or 0) for field in STATUS_FIELDS
                      for status in meta.status(pod).get(field) or () if status["name"] == wanted.container), 0)
        return log_file(self._pods / wanted.uid, wanted.container, count)

    def _follow(self, wanted: StreamRequest, container: dict[str, Any]) -> AsyncGenerator[bytes, None]:
        # `kubectl run -i` attaches as soon as it can: what such a container wrote before is wanted too.
        tail = None if container.get("stdin") else 0
        return self._logs(LogRequest(wanted.namespace, wanted.pod, wanted.container, follow=True, tail_lines=tail))

    async def left(self, wanted: StreamRequest, code: int | None) -> None:
        """Ends the container whose session has ended, or whose only client (stdinOnce) is gone."""
        session = attaching.find(self._pods / wanted.uid, wanted.container)
        once = self._container(wanted).get("stdinOnce")
        if session is not None and (code is not None or once):
            directory, process = str(self._pods / wanted.uid), session.process

            def runs() -> bool:
                pod = Pod.attach(directory)
                try:
                    return pod is not None and process in pod.running()
                except OSError:
                    return False  # the pod has ended

            await attaching.end(session, code or 0, runs=runs)

    async def dial(self, wanted: StreamRequest, port: int) -> socket.socket:
        """A connection to localhost:port within the pod, by IPv4 or IPv6. OSError in a container runtime's words."""
        pod = self._pod(wanted)
        if pod is None:
            raise OSError(errno.ENOENT, f"error forwarding port {port} to pod {wanted.uid}, uid : not found")
        name, node = self._registry.spec.name, str(meta.spec(pod).get("nodeName"))
        netns = names.node_netns(name, node) if meta.spec(pod).get("hostNetwork") else \
            names.pod_netns(name, wanted.namespace, wanted.pod)
        texts = []
        for family, address, shown in ((socket.AF_INET, "127.0.0.1", f"IPv4: dial tcp4 127.0.0.1:{port}"),
                                       (socket.AF_INET6, "::1", f"IPv6 dial tcp6 [::1]:{port}")):
            try:
                return await _connect(netns, family, address, port)
            except OSError as error:
                texts.append(f"{shown}: {_go_text(error)}")
        sandbox = hashlib.sha256(wanted.uid.encode()).hexdigest()
        raise OSError(errno.ECONNREFUSED, (
            f"error forwarding port {port} to pod {sandbox}, uid : failed to execute portforward in network namespace "
            f'"{names.NETNS / netns}": failed to connect to localhost:{port} inside namespace "{sandbox}", '
            + " ".join(texts) + " "))


async def _connect(netns: str, family: int, address: str, port: int) -> socket.socket:
    made = await blocking(lambda: sockets.tcp(netns, family))
    try:
        async with asyncio.timeout(DIAL_LIMIT):
            await asyncio.get_running_loop().sock_connect(made, (address, port))
    except BaseException:
        made.close()
        raise
    return made


def _go_text(error: OSError) -> str:
    """As Go's net package says it."""
    if isinstance(error, TimeoutError):
        return "i/o timeout"
    return f"connect: {os.strerror(error.errno or errno.EIO).lower()}"


def _runtime_words(error: OSError, wanted: StreamRequest) -> str:
    if error.errno == errno.ESRCH:
        return f"error executing command in container: {error.strerror}"
    identity = hashlib.sha256(f"{wanted.uid}/{wanted.container}".encode()).hexdigest()
    return (f'error executing command in container: failed to exec in container: failed to start exec "{identity}": '
            f"OCI runtime exec failed: exec failed: unable to start container process: {error.strerror}: unknown")
