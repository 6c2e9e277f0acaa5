"""A lab from outside its daemon: start it, reach it, run programs in it, take it down."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from netlab.lab import record
from netlab.model.errors import ApiError, LabError
from netlab.model.lab_spec import LabSpec
from netlab.server.client import ApiClient
from netlab.topology import names

CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
CONTAINER_STATUSES = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")


class Lab:
    """A handle on a lab that runs. All state is in the lab's run directory, so any root process may have one."""

    def __init__(self, spec: LabSpec) -> None:
        self.name = spec.name
        self.spec = spec
        self.api = ApiClient(names.api_socket(spec.name))

    @classmethod
    def up(cls, spec: LabSpec, *, new: bool = False, temporary: bool = False) -> Lab:
        """Starts the lab, or adopts what runs of it after its daemon died; returns when API and DNS answer.

        A lab that runs with the same settings is left as it is; with `new` that is an error. A lab without a proxy mode
        gets one that the machine can, and stderr says so when it is not the usual one. A `temporary` lab is
        this process's: once the process is gone, whoever wants the name next removes the lab. LabError: exit code
        3 with one line per thing that the machine lacks, 2 when the lab runs with other settings.
        """
        from netlab.kernel import preflight, sweep
        from netlab.lab.startup import start_daemon, take_lock

        preflight.raise_file_limit()
        mode, lacks, note = preflight.fitting_mode(spec.proxy_mode, spec.ip_families)
        lacks = lacks or preflight.balancer_lacks(mode, spec.load_balancer.families if spec.load_balancer else ())
        if lacks:
            raise LabError("this machine cannot run a lab:\n" + "\n".join(f"  {lack}" for lack in lacks),
                           hint="netlab doctor", exit_code=3)
        lock = take_lock(spec.name)
        if lock is None:
            return cls.attach(spec.name)._as_wanted(spec, new=new)
        spec = replace(spec, proxy_mode=mode)
        if note:
            sys.stderr.write(f"{note}\n")
        with lock:
            found = record.read(spec.name)
            if found is not None and record.is_alive(found):
                lab = cls.attach(spec.name)._as_wanted(spec, new=new)
                start_daemon(lock)
                return lab
            sweep.sweep(spec.name, lock=lock)  # what an interrupted `up`, or a machine that went down, has left
            try:
                record.write(spec, temporary=temporary)
                start_daemon(lock)
            except BaseException:
                from netlab.lab import signals

                with signals.held():
                    sweep.sweep(spec.name, lock=lock)
                    lock.remove()
                raise
        return cls(spec)

    def _as_wanted(self, spec: LabSpec, *, new: bool) -> Lab:
        if new:
            raise LabError(f"a lab named {self.name} is there already",
                           hint=f"netlab down {self.name}, or choose another name with --name")
        spec = replace(spec, proxy_mode=spec.proxy_mode or self.spec.proxy_mode)
        if self.spec.to_manifest() != spec.to_manifest():
            raise LabError(f"lab {self.name} exists with other settings",
                           hint=f"netlab down {self.name}, or choose another name with --name")
        return self

    @classmethod
    def attach(cls, name: str) -> Lab:
        """The running lab of that name; LabError (exit code 4) when there is none."""
        found = record.read(name)
        if found is None:
            raise LabError(f"there is no lab {name}", hint=f"netlab up --name {name}", exit_code=4)
        from netlab.model.lab_settings import parse

        return cls(parse(found["spec"], name=name))

    @classmethod
    def settings(cls, name: str) -> LabSpec | None:
        """What the lab of that name was started with, whether its daemon runs or not; None when there is no lab."""
        found = record.read(name)
        return cls.attach(name).spec if found is not None and record.is_alive(found) else None

    def down(self) -> None:
        """Removes everything of the lab; a lab that is not there is fine."""
        from netlab.kernel import sweep

        self.api.close()
        sweep.sweep(self.name)

    def settled(self, limit: float = 10.0) -> None:
        """Waits until all controllers have seen the newest objects; LabError (exit code 124) after `limit` seconds."""
        client = ApiClient(names.api_socket(self.name), timeout=limit + 5)
        try:
            client.get(f"/netlab/v1/settled?limit={limit:g}")
        except ApiError as error:
            if error.code != 504:
                raise
            raise LabError(error.message, hint="netlab status", exit_code=124) from None
        finally:
            client.close()

    def status(self, limit: float = 30.0) -> Mapping[str, object]:
        """The daemon's view: `controllers` (name -> observed, error, running), `nodes`, `revision`, `uptime`."""
        client = ApiClient(names.api_socket(self.name), timeout=limit)
        try:
            return client.get("/netlab/v1/status")
        finally:
            client.close()

    def exec(self, target: str, argv: Sequence[str], *, container: str = "", stdin: int | None = None,
             stdout: int = 1, stderr: int = 2, tty: bool = False, env: Mapping[str, str] | None = None,
             limit: float | None = None) -> int:
        """Runs a program in a node, `client`, `[NAMESPACE/]POD` and so on, with these descriptors; gives its exit code.

        128+n when signal n ended it, 126/127 as shells do, 124 at `limit` seconds. LabError (exit code 4) when
        there is no such target. A node wins over a pod of the same name; write `default/NAME` for the pod.
        """
        null = os.open(os.devnull, os.O_RDONLY) if stdin is None else -1
        try:
            source = null if stdin is None else stdin
            if target in (*self.spec.outside, *self.spec.nodes):
                from netlab.kernel import exec as netns_exec

                return netns_exec.run(names.node_netns(self.name, target), argv, stdin=source, stdout=stdout,
                                      stderr=stderr, env=env, limit=limit,
                                      bin_directory=str(names.run_dir(self.name) / "bin"))
            return self._exec_in_pod(target, argv, container, (source, stdout, stderr), tty, env, limit)
        finally:
            if null >= 0:
                os.close(null)

    def _exec_in_pod(self, target: str, argv: Sequence[str], container: str, streams: tuple[int, int, int],
                     tty: bool, env: Mapping[str, str] | None, limit: float | None) -> int:
        from netlab.kernel.pods import Pod

        namespace, _, name = target.rpartition("/")
        namespace = namespace or "default"
        try:
            manifest = self.api.get(f"/api/v1/namespaces/{namespace}/pods/{name}")
        except ApiError as error:
            if error.code != 404:
                raise
            known = ", ".join((*self.spec.nodes, *self.spec.outside))
            raise LabError(f'{error.message}: there is no node and no pod "{target}"',
                           hint=f"netlab get pods -A (nodes and hosts: {known})", exit_code=4) from None
        containers = [item["name"] for field in CONTAINERS for item in manifest["spec"].get(field) or ()]
        if container and container not in containers:
            raise LabError(f"container {container} is not valid for pod {name}",
                           hint=f"one of: {', '.join(containers)}", exit_code=4)
        pod = Pod.attach(str(names.pod_dir(self.name, manifest["metadata"]["uid"])))
        if pod is None:
            phase = manifest.get("status", {}).get("phase", "Pending")
            raise LabError(f"pod {namespace}/{name} has no processes (phase {phase})",
                           hint=f"netlab get pod {name} -n {namespace}", exit_code=4)
        stdin, stdout, stderr = streams
        container = container or containers[0]
        try:
            return pod.exec(argv, stdin=stdin, stdout=stdout, stderr=stderr, env=env, tty=tty, limit=limit,
                            container=container)
        except ProcessLookupError:
            raise LabError(f"container {container} of pod {namespace}/{name} does not run{_why(manifest, container)}",
                           hint=f"netlab get events -n {namespace}", exit_code=4) from None

    def run(self, target: str, argv: Sequence[str], *, input: bytes = b"", limit: float | None = None,
            container: str = "") -> tuple[int, bytes, bytes]:
        """`exec` with captured output: (exit code, stdout, stderr). The program is killed at `limit` seconds (124)."""
        files = [os.memfd_create(name) for name in ("stdin", "stdout", "stderr")]
        try:
            os.write(files[0], input)
            os.lseek(files[0], 0, os.SEEK_SET)
            code = self.exec(target, argv, container=container, stdin=files[0], stdout=files[1], stderr=files[2],
                             limit=limit)
            return code, _content(files[1]), _content(files[2])
        finally:
            for file in files:
                os.close(file)

    def rules(self, node: str) -> str:
        """What `iptables-save` prints in that node, without counters and comment lines; then `ip6tables-save` so.

        In the nftables mode: kube-proxy's tables as `nft --stateless list table` prints them.
        """
        import re

        lines: list[str] = []
        for family, program in (("IPv4", "iptables-save"), ("IPv6", "ip6tables-save")):
            if family not in self.spec.ip_families:
                continue
            argv = [program]
            if self.spec.proxy_mode == "nftables":
                argv = ["nft", "--stateless", "list", "table", "ip" if family == "IPv4" else "ip6", "kube-proxy"]
            code, out, error = self.run(node, argv)
            if code:
                raise LabError(f"{' '.join(argv)} in {node}: {error.decode(errors='replace').strip()}", exit_code=5)
            lines += (line for line in out.decode().splitlines() if not line.startswith("#"))
        return re.sub(r"\[\d+:\d+\]", "[0:0]", "\n".join(lines) + "\n")


def _why(pod: Mapping[str, Any], container: str) -> str:
    """What holds a container up, in brackets, as its status says it."""
    status = pod.get("status") or {}
    found = [item for field in CONTAINER_STATUSES for item in status.get(field) or () if item["name"] == container]
    state = (found[0].get("state") or {}) if found else {}
    reason = (state.get("waiting") or state.get("terminated") or {}).get("reason")
    return f" ({reason})" if reason else ""


def _content(file: int) -> bytes:
    size = os.fstat(file).st_size
    return os.pread(file, size, 0)
