"""A lab from outside its daemon: start it, reach it, run programs in it, take it down."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netlab.model.errors import ApiError, LabError
from netlab.model.lab_spec import CLIENT, LabSpec
from netlab.server.client import ApiClient
from netlab.topology import names

if TYPE_CHECKING:
    from netlab.kernel.lock import Lock

INHERITED = ("PATH", "LANG", "LC_ALL", "TZ")  # of the caller's environment, by the daemon
CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
CONTAINER_STATUSES = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
LOG_LINES = 5
BUSY_LIMIT = 20.0  # seconds that another command may take with a lab before we give up


class Lab:
    """A handle on a lab that runs. All state is in the lab's run directory, so any root process may have one."""

    def __init__(self, spec: LabSpec) -> None:
        self.name = spec.name
        self.spec = spec
        self.api = ApiClient(names.api_socket(spec.name))

    @classmethod
    def up(cls, spec: LabSpec, *, new: bool = False, temporary: bool = False) -> Lab:
        """Starts the lab, or adopts what runs of it after its daemon died; returns when API and DNS answer.

        A lab that runs with the same settings is left as it is; with `new` that is an error. A `temporary` lab is
        this process's: once the process is gone, whoever wants the name next removes the lab. LabError: exit code
        3 with one line per thing that the machine lacks, 2 when the lab runs with other settings.
        """
        from netlab.kernel import preflight, sweep

        preflight.raise_file_limit()
        if lacks := preflight.quick():
            raise LabError("this machine cannot run a lab:\n" + "\n".join(f"  {lack}" for lack in lacks),
                           hint="netlab doctor", exit_code=3)
        lock = _take_or_find(spec.name)
        if lock is None:
            return cls.attach(spec.name)._as_wanted(spec, new=new)
        with lock:
            record = _read_record(spec.name)
            if record is not None and record["boot"] == _boot_id() and not _is_abandoned(record):
                lab = cls.attach(spec.name)._as_wanted(spec, new=new)
                _start_daemon(lock)
                return lab
            sweep.sweep(spec.name, lock=lock)  # what an interrupted `up`, or a machine that went down, has left
            try:
                _write_record(spec, temporary=temporary)
                _start_daemon(lock)
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
        if self.spec.to_manifest() != spec.to_manifest():
            raise LabError(f"lab {self.name} exists with other settings",
                           hint=f"netlab down {self.name}, or choose another name with --name")
        return self

    @classmethod
    def attach(cls, name: str) -> Lab:
        """The running lab of that name; LabError (exit code 4) when there is none."""
        record = _read_record(name)
        if record is None:
            raise LabError(f"there is no lab {name}", hint=f"netlab up --name {name}", exit_code=4)
        from netlab.model.lab_settings import parse

        return cls(parse(record["spec"], name=name))

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
        """Runs a program in a node, `client`, or `[NAMESPACE/]POD`, with these descriptors; gives its exit code.

        128+n when signal n ended it, 126/127 as shells do, 124 at `limit` seconds. LabError (exit code 4) when
        there is no such target. A node wins over a pod of the same name; write `default/NAME` for the pod.
        """
        null = os.open(os.devnull, os.O_RDONLY) if stdin is None else -1
        try:
            source = null if stdin is None else stdin
            if target == CLIENT or target in self.spec.nodes:
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
            known = ", ".join((*self.spec.nodes, CLIENT))
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
        """What `iptables-save` prints in that node, without counters and comment lines."""
        import re

        code, out, error = self.run(node, ["iptables-save"])
        if code:
            raise LabError(f"iptables-save in {node}: {error.decode(errors='replace').strip()}", exit_code=5)
        lines = (line for line in out.decode().splitlines() if not line.startswith("#"))
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


def _boot_id() -> str:
    from netlab.kernel.process import boot_id

    return boot_id()


def _read_record(name: str) -> dict[str, Any] | None:
    try:
        record: dict[str, Any] = json.loads((names.run_dir(name) / "lab.json").read_text())
        return record if isinstance(record["boot"], str) and isinstance(record["spec"], dict) else None
    except PermissionError:
        raise LabError(f"no access to lab {name}: a lab belongs to root", hint="use sudo", exit_code=3) from None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _is_abandoned(record: Mapping[str, Any]) -> bool:
    """Whether it is the lab of a `netlab run` that was killed."""
    from netlab.kernel import process

    owner = record.get("owner")
    if not owner:
        return False
    descriptor = process.pin(*owner)
    if descriptor is None:
        return True
    os.close(descriptor)
    return process.gone(owner[0])


def _write_record(spec: LabSpec, *, temporary: bool) -> None:
    from netlab.kernel import process
    from netlab.kernel.lock import make_run_dir

    directory = make_run_dir(spec.name)
    owner = [os.getpid(), process.start_time(os.getpid())] if temporary else None
    file = directory / "lab.json.new"
    file.write_text(json.dumps({"boot": process.boot_id(), "owner": owner, "spec": spec.to_manifest()}))
    file.rename(directory / "lab.json")


def _take_or_find(name: str) -> Lock | None:
    """The lab's lock, or None when a daemon has it and answers. Another `up` or `down` may end its work first."""
    import time

    from netlab.kernel import process
    from netlab.kernel.lock import Lock

    end = time.monotonic() + BUSY_LIMIT
    while (lock := Lock.try_take(name, purpose="up")) is None:
        # In this order: a daemon that another command starts now has its lab's new record before it.
        daemon = process.read_record(names.run_dir(name) / "daemon.json")
        record = _read_record(name)
        if daemon and record and _is_abandoned(record):
            process.kill(*daemon)
            continue
        try:
            ApiClient(names.api_socket(name), timeout=1.0).get("/netlab/v1/status")
            return None
        except (LabError, TimeoutError):
            if time.monotonic() > end:
                raise LabError(f"lab {name} is in use by another command, and its API does not answer",
                               hint=f"netlab down {name}", exit_code=124) from None
            time.sleep(0.02)
    return lock


def _start_daemon(lock: Lock) -> None:
    """Starts the daemon with the lock, waits for its first line; LabError with its words when it failed."""
    name = lock.lab
    reader, writer = os.pipe()
    log = names.run_dir(name) / "daemon.log"
    os.set_inheritable(writer, True)
    os.set_inheritable(lock.fileno(), True)
    environment = {key: value for key, value in os.environ.items() if key in INHERITED}
    environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
    command = [sys.executable, "-P", "-m", "netlab.lab.daemon", name, str(writer)]
    actions = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
               (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
               (os.POSIX_SPAWN_DUP2, 1, 2)]
    try:
        pid = os.posix_spawn(sys.executable, command, environment, file_actions=actions, setsid=True)
    finally:
        os.close(writer)
        os.set_inheritable(lock.fileno(), False)
    try:
        lock.mark("daemon", pid)
        with os.fdopen(reader, "rb") as pipe:
            line = pipe.readline()
    except BaseException:  # nobody waits for it any more; it must not come up behind the back of who sweeps
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    answer = json.loads(line) if line else {}
    if answer.get("ok"):
        return
    os.waitpid(pid, 0)
    last = "".join(log.read_text().splitlines(True)[-LOG_LINES:]).strip()
    words = answer.get("message") or "its daemon died" + (f": {last}" if last else "")
    if answer.get("log") and last:  # it goes with the lab
        words += f"\nthe last lines of its log:\n{last}"
    raise LabError(f"lab {name} did not come up: {words}", hint=answer.get("hint", ""),
                   exit_code=answer.get("exit_code", 5))
