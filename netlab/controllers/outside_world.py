"""The hosts of the outside world: each has a mount and a PID namespace of its own like a pod, and one program.

Nothing of it is an object of the cluster. What ends is started again, and what a former daemon started is adopted.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from netlab.api.registry import Registry
from netlab.controllers.kubelet.doors import PodHandle, Runtime
from netlab.controllers.kubelet.launching import PATH
from netlab.controllers.kubelet.threads import blocking
from netlab.controllers.runtime import Controller
from netlab.dns.zone_file import ROOT, host_lines
from netlab.kernel import bin_directory
from netlab.kernel.pod_spec import Mount, Process, Sandbox
from netlab.model.errors import LabError
from netlab.model.images import Catalogue, MissingImage
from netlab.model.internet import RESOLVER, Internet, OutsideHost
from netlab.topology import names

PERIOD = 1.0  # seconds from look to look
SERVER = "netlab.server.dns:main"
FILES = "/etc/coredns"  # as the DNS server sees them
# It answers for the root, so for every name, and as a resolver does that has asked somebody else.
COREFILE = """.:53 {
    errors
    log
    header {
        response set ra
        response clear aa
    }
    file /etc/coredns/internet.zone {
        reload 0
    }
    loadbalance
}
"""
PROGRAM = "main"


@dataclass(frozen=True)
class _Program:
    """What runs on a host."""

    argv: tuple[str, ...]
    entry: str
    env: tuple[tuple[str, str], ...] = ()
    mounts: tuple[Mount, ...] = ()


class OutsideWorld(Controller):
    """Keeps the programs of all hosts running, the DNS server's first."""

    name = "internet"
    resources = ()

    def __init__(self, registry: Registry, *, internet: Internet, runtime: Runtime, catalogue: Catalogue) -> None:
        super().__init__(registry)
        self._internet = internet
        self._runtime = runtime
        self._catalogue = catalogue
        self._handles: dict[str, PodHandle] = {}
        self._begun = False

    @property
    def pending(self) -> bool:
        """Whether the hosts were not looked at yet."""
        return not self._begun

    async def reconcile(self) -> float | None:
        """Starts what does not run. LabError names the hosts whose program cannot be started."""
        problems = []
        for name, host in [(RESOLVER, None), *((host.name, host) for host in self._internet.hosts)]:
            try:
                await blocking(lambda name=name, host=host: self._keep(name, host))  # type: ignore[misc]
            except (OSError, MissingImage, EOFError) as error:
                problems.append(f"{name}: {error}")
        self._begun = True
        if problems:
            raise LabError("; ".join(problems), exit_code=5)
        return PERIOD

    async def close(self) -> None:
        """Lets go of the hosts; they go on."""
        for handle in self._handles.values():
            await asyncio.to_thread(getattr(handle, "close", lambda: None))
        self._handles.clear()

    def _keep(self, name: str, host: OutsideHost | None) -> None:
        """Makes the host's program run if it does not. Blocks for milliseconds."""
        directory = names.outside_dir(self.registry.spec.name, name)
        handle = self._handles.get(name) or self._runtime.attach(str(directory)) or self._create(name, directory)
        try:
            running = handle.running()
        except ConnectionError:  # its init is gone
            self._handles.pop(name, None)
            handle = self._create(name, directory)
            running = frozenset()
        self._handles[name] = handle
        if running:
            return
        program = self._program(host) if host else self._resolver(directory)
        handle.run(Process(
            name=f"{PROGRAM}.{len(handle.exits())}", argv=program.argv, entry=program.entry, mounts=program.mounts,
            env=tuple(({"PATH": PATH, "HOSTNAME": name, "HOME": "/root"} | dict(program.env)).items()),
            log=str(directory / f"{PROGRAM}.log")))

    def _create(self, name: str, directory: Path) -> PodHandle:
        spec = self.registry.spec
        netns = names.node_netns(spec.name, name)
        directory.mkdir(parents=True, exist_ok=True)
        addresses = {host.name: host.addresses for host in self._internet.hosts}.get(
            name, self._internet.resolver_ips)
        files = {"resolv.conf": "".join(f"nameserver {ip}\n" for ip in self._internet.resolver_ips),
                 "hostname": f"{name}\n",
                 "hosts": "127.0.0.1\tlocalhost\n" + "".join(f"{address}\t{name}\n" for address in addresses)}
        mounts = []
        for file, text in files.items():
            path = directory / f"etc-{file}"
            _write(path, text)
            mounts.append(Mount(str(path), f"/etc/{file}"))
        programs = names.run_dir(spec.name) / "bin"
        return self._runtime.create(Sandbox(
            uid=f"internet-{name}", netns=str(names.NETNS / netns), hostname=name, directory=str(directory),
            mounts=tuple(mounts), bin_directory=str(programs) if programs.is_dir() else "",
            builtins=tuple(self._catalogue.builtins.items())))

    def _program(self, host: OutsideHost) -> _Program:
        launch = self._catalogue.launch(host.image, command=host.command, args=host.args, ports=host.ports,
                                        which=bin_directory.which)
        env = dict(launch.env) | dict(host.env)
        if launch.entry:
            env |= {"NETLAB_POD": host.name, "NETLAB_POD_IP": str(host.addresses[0])}
        return _Program(launch.argv, launch.entry, tuple(env.items()),
                        tuple(Mount(source, target) for source, target in launch.mounts))

    def _resolver(self, directory: Path) -> _Program:
        lines = [line for host in self._internet.hosts for line in host_lines(host.names, host.addresses)]
        place = directory / "coredns"
        place.mkdir(exist_ok=True)
        place.chmod(0o755)
        text = "".join(f"{line}\n" for line in [ROOT, *lines, *map(str, self._internet.records)])
        _write(place / "internet.zone", text)
        _write(place / "Corefile", COREFILE)
        return _Program(("coredns", "-conf", f"{FILES}/Corefile"), SERVER, mounts=(Mount(str(place), FILES),))


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o644)  # whatever the umask is: programs may run as other users
