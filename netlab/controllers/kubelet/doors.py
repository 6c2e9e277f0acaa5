"""What a kubelet needs from outside: a runtime, a pod network, a recorder of events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from netlab.kernel import wiring
from netlab.kernel.pod_spec import Process, Sandbox
from netlab.model.lab_spec import LabSpec
from netlab.model.ranges import Address
from netlab.topology.plan import plan_pod


class Exited(Protocol):
    """How a process ended."""

    @property
    def code(self) -> int: ...
    @property
    def finished(self) -> float: ...


class PodHandle(Protocol):
    """A pod's init; see netlab.kernel.pods.Pod."""

    def fileno(self) -> int: ...
    def run(self, process: Process) -> int: ...
    def exits(self) -> Mapping[str, Exited]: ...
    def running(self) -> frozenset[str]: ...
    def signal(self, name: str, number: int) -> None: ...
    def exec(self, argv: Sequence[str], *, stdin: int, stdout: int, stderr: int, env: Mapping[str, str] | None = None,
             container: str = "", tty: bool = False, limit: float | None = None) -> int: ...
    def kill(self) -> None: ...


class Runtime(Protocol):
    """Makes pods, and finds those that run already."""

    def create(self, sandbox: Sandbox) -> PodHandle: ...
    def attach(self, directory: str) -> PodHandle | None: ...


class Network(Protocol):
    """Connects pods."""

    def attach(self, *, node: str, netns: str, addresses: Sequence[Address]) -> None: ...
    def detach(self, netns: str) -> None: ...
    def write_resolv_conf(self, netns: str, text: str) -> None: ...


class Recorder(Protocol):
    """Records events about objects; `type` is Normal or Warning."""

    def event(self, obj: Mapping[str, Any], type: str, reason: str, message: str) -> object: ...


class LabNetwork:
    """The lab's wiring as a Network."""

    def __init__(self, spec: LabSpec) -> None:
        self._spec = spec

    def attach(self, *, node: str, netns: str, addresses: Sequence[Address]) -> None:
        """Makes the pod's netns and joins it to its node. Repeatable."""
        wiring.build(plan_pod(self._spec, node=node, netns=netns, addresses=addresses))

    def detach(self, netns: str) -> None:
        """Removes the pod's netns with its links."""
        wiring.remove(netns)

    def write_resolv_conf(self, netns: str, text: str) -> None:
        """What `ip netns exec` resolves by."""
        wiring.write_resolv_conf(netns, text)
