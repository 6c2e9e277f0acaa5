"""A lab from outside its daemon: start it, reach it, run programs in it, take it down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netlab.model.lab_spec import LabSpec
from netlab.server.client import ApiClient


class Lab:
    """A handle on a lab that runs. All state is in the lab's run directory, so any root process may have one."""

    name: str
    spec: LabSpec
    api: ApiClient  # the API by its unix socket, all verbs

    @classmethod
    def up(cls, spec: LabSpec) -> Lab:
        """Starts the lab, or adopts what runs of it after its daemon died; returns when API and DNS answer.

        LabError: exit code 3 with one line per thing that the machine lacks, 2 when the lab runs with other settings.
        """
        raise NotImplementedError

    @classmethod
    def attach(cls, name: str) -> Lab:
        """The running lab of that name; LabError (exit code 4) when there is none."""
        raise NotImplementedError

    def down(self) -> None:
        """Removes everything of the lab; a lab that is not there is fine."""
        raise NotImplementedError

    def settled(self, limit: float = 10.0) -> None:
        """Waits until all controllers have seen the newest objects; LabError (exit code 124) after `limit` seconds."""
        raise NotImplementedError

    def status(self) -> Mapping[str, object]:
        """The daemon's view: `controllers` (name -> observed, error, running), `nodes`, `revision`, `uptime`."""
        raise NotImplementedError

    def exec(self, target: str, argv: Sequence[str], *, container: str = "", stdin: int | None = None,
             stdout: int = 1, stderr: int = 2, tty: bool = False, env: Mapping[str, str] | None = None) -> int:
        """Runs a program in a node, `client`, or `[NAMESPACE/]POD`, with these descriptors; gives its exit code.

        128+n when signal n ended it, 126/127 as shells do; LabError (exit code 4) when there is no such target.
        """
        raise NotImplementedError

    def run(self, target: str, argv: Sequence[str], *, input: bytes = b"", limit: float | None = None,
            container: str = "") -> tuple[int, bytes, bytes]:
        """`exec` with captured output: (exit code, stdout, stderr). The program is killed at `limit` seconds (124)."""
        raise NotImplementedError

    def rules(self, node: str) -> str:
        """What `iptables-save` prints in that node, without counters and comments lines."""
        raise NotImplementedError
