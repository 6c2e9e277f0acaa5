"""What a pod's processes need, as values: the kubelet makes them, the lab init and the pod inits act on them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Mount:
    """A bind mount of `source` on the machine at `target` in the pod; read-only unless said otherwise."""

    source: str
    target: str
    read_only: bool = True


@dataclass(frozen=True)
class Sandbox:
    """A pod without containers: namespaces, root filesystem, init process.

    `netns` is the path of its network namespace (a node's for hostNetwork pods); `directory` the pod's run
    directory on the machine. `mounts` come on top of the standard root
    (`/etc/hosts` and `/etc/resolv.conf` are such mounts, of single files).
    """

    uid: str
    netns: str
    hostname: str
    directory: str
    mounts: tuple[Mount, ...] = ()
    bin_directory: str = ""  # put first on the PATH of everything that runs in the pod, and shown there at its path
    python: bool = False  # whether programs in the pod can start the interpreter that runs netlab, and import netlab
    builtins: tuple[tuple[str, str], ...] = ()  # (last part of a command, entry): what exec finds besides programs


@dataclass(frozen=True)
class Process:
    """A container's process. `name` is unique in the pod's life (`web.0`, after a restart `web.1`).

    Either `argv` is a program to execute, or `entry` ("package.module:function") is a built-in workload that runs
    in a fork without exec, its module loaded beforehand: `function(args: list[str]) -> int`, with argv[1:].
    stdout and stderr are appended to `log`. uid 0 with upstream's default capability set.
    """

    name: str
    argv: tuple[str, ...]
    entry: str = ""
    env: tuple[tuple[str, str], ...] = ()
    cwd: str = "/"
    log: str = ""
    mounts: tuple[Mount, ...] = field(default=())  # seen by this container only
