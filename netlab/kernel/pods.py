"""The door to the lab init and the pod inits: sandboxes, processes, exit codes, exec.

The lab init is PID 1 of the lab's PID namespace; it forks a pod init per pod. Both outlive the daemon. All calls
here block for milliseconds at most, except `Pod.exec`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from netlab.kernel.pod_spec import Process, Sandbox


@dataclass(frozen=True)
class Exit:
    """How a process ended: its exit code (128+n after signal n), and the Unix time at which it did."""

    code: int
    signal: int
    finished: float


class LabInit:
    """The lab's init process."""

    pid: int

    @classmethod
    def start(cls, lab: str, *, preload: Sequence[str] = ()) -> LabInit:
        """Starts it, with those modules loaded for workloads that run in forks; returns when it answers."""
        raise NotImplementedError

    @classmethod
    def adopt(cls, lab: str) -> LabInit | None:
        """The lab init that runs already (after the death of a daemon), or None."""
        raise NotImplementedError

    def create(self, sandbox: Sandbox) -> Pod:
        """Starts a pod's namespaces and init; its directory must exist. OSError says which step failed."""
        raise NotImplementedError

    def kill(self) -> None:
        """Ends every process of the lab for certain, and waits for it."""
        raise NotImplementedError


class Pod:
    """A pod's init, reached by the socket in its directory; the daemon and `netlab exec` both use it."""

    @classmethod
    def attach(cls, directory: str) -> Pod | None:
        """The pod whose directory that is, or None when its init is gone."""
        raise NotImplementedError

    def fileno(self) -> int:
        """Becomes readable when a process has ended or the init died: then call `exits`."""
        raise NotImplementedError

    def run(self, process: Process) -> int:
        """Starts a process; gives its pid on the machine. OSError when the program cannot be executed."""
        raise NotImplementedError

    def exits(self) -> Mapping[str, Exit]:
        """All processes that have ended, by name. Survives everything: read from files in the pod's directory."""
        raise NotImplementedError

    def running(self) -> frozenset[str]:
        """Names of the processes that run. ConnectionError when the init is gone."""
        raise NotImplementedError

    def signal(self, name: str, number: int) -> None:
        """Signals one process (its whole process group for SIGKILL); one that has ended is fine."""
        raise NotImplementedError

    def exec(self, argv: Sequence[str], *, stdin: int, stdout: int, stderr: int, env: Mapping[str, str] | None = None,
             container: str = "", tty: bool = False, limit: float | None = None) -> int:
        """Runs a program in the pod with these descriptors; blocks; gives its exit code, 124 at `limit` seconds.

        It sees what the newest process of `container` (a name without its `.N`) sees: mounts, environment. With `tty`
        a pseudo-terminal is made in the pod and the three descriptors are relayed to it, window size included.
        When the caller dies, the program is killed.
        """
        raise NotImplementedError

    def kill(self) -> None:
        """Ends the pod's init and everything in it."""
        raise NotImplementedError
