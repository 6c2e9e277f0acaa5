"""From a container's spec to the process that the runtime starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from netlab.controllers.kubelet.containers import process_name
from netlab.controllers.kubelet.expand import expand
from netlab.controllers.kubelet.hosts import hostname
from netlab.kernel.pod_spec import Mount, Process
from netlab.model import meta
from netlab.model.images import Catalogue, Launch
from netlab.model.meta import Manifest

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SHELLS = ("sh", "bash", "ash", "dash", "zsh", "python", "python3", "redis-cli", "psql", "mysql")
INTERACTIVE = "netlab.workloads.interactive:main"


def is_interactive(container: Mapping[str, Any], argv: Sequence[str]) -> bool:
    """Whether the container does nothing until somebody attaches: a bare shell with stdin, or (stdinOnce) whatever
    `kubectl run -i` runs, which attaches at once.
    """
    bare = PurePosixPath(argv[0]).name in SHELLS and all(part.startswith("-") and part != "-c" for part in argv[1:])
    return bool(container.get("stdin")) and (bare or bool(container.get("stdinOnce")))


def plan_process(pod: Manifest, container: Mapping[str, Any], *, attempt: int, variables: Mapping[str, str],
                 mounts: tuple[Mount, ...], catalogue: Catalogue, directory: Path, node: str, address: str,
                 which: Callable[[str], str | None]) -> Process:
    """The container's n-th process. Raises MissingImage."""
    command = [expand(part, variables) for part in container.get("command") or ()]
    args = [expand(part, variables) for part in container.get("args") or ()]
    ports = dict.fromkeys(int(p["containerPort"]) for p in container.get("ports") or ())
    launch = catalogue.launch(container.get("image") or "", command=command, args=args, ports=ports, which=which)
    host = node if meta.spec(pod).get("hostNetwork") else hostname(pod)
    env = {"PATH": PATH, "HOSTNAME": host, "HOME": "/root"} | dict(launch.env) | dict(variables)
    entry, argv = launch.entry, launch.argv
    name = process_name(container["name"], attempt)
    debugging = any(other["name"] == container["name"] for other in meta.spec(pod).get("ephemeralContainers") or ())
    attachable = not entry or catalogue.builtins.get(PurePosixPath(argv[0]).name) == entry
    if attachable and (is_interactive(container, argv) or (debugging and container.get("stdin"))):
        # `kubectl debug -i` attaches at once too.
        entry, argv = INTERACTIVE, ("interactive", attach_address(meta.uid(pod), name), *argv)
    if entry:
        env |= {"NETLAB_POD": meta.name(pod), "NETLAB_NAMESPACE": meta.namespace(pod), "NETLAB_NODE": node,
                "NETLAB_POD_IP": address, "NETLAB_IMAGE": container.get("image") or ""}
    return Process(
        name=name, argv=argv, entry=entry, env=tuple(env.items()), cwd=container.get("workingDir") or "/",
        log=str(log_file(directory, container["name"], attempt)),
        mounts=(*image_mounts(directory, container, attempt, launch, mounts), *mounts,
                *(Mount(source, target) for source, target in launch.mounts)))


def image_mounts(directory: Path, container: Mapping[str, Any], attempt: int, launch: Launch,
                 mounts: tuple[Mount, ...]) -> tuple[Mount, ...]:
    """Directories that the image brings along, new for each process and writable, except where volumes are."""
    taken = {mount.target.rstrip("/") for mount in mounts}
    made = []
    for place, files in launch.directories:
        if place in taken:
            continue
        source = directory / container["name"] / f"{attempt}.image" / place.strip("/").replace("/", "-")
        source.mkdir(parents=True, exist_ok=True)
        for name, text in files:
            (source / name).write_text(text)
            (source / name).chmod(0o644)
        for path in (source.parent, source):
            path.chmod(0o755)  # whatever the umask is: programs in the pod may run as other users
        made.append(Mount(str(source), place, read_only=False))
    return tuple(made)


def log_file(directory: Path, container: str, attempt: int) -> Path:
    """Where a container's n-th process writes its output."""
    return directory / container / f"{attempt}.log"


def attach_address(uid: str, process: str) -> str:
    """The abstract unix address, in the pod's netns, where a waiting interactive process is told its exit code."""
    return f"netlab/{uid}/{process}"
