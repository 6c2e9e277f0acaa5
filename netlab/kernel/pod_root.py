"""A pod's root filesystem: nothing of the machine but an allow-list, read-only; everything else is the pod's own.

Programs and libraries are the machine's (/usr, /etc, /opt, ...). /proc and /dev/pts are the pod's, /sys shows its
netns. /tmp, /run, /root, /var are an empty tmpfs. What others than root may not read in /etc is hidden.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from netlab.kernel import mounts, pod_etc, syscalls
from netlab.kernel.pod_spec import Mount, Sandbox
from netlab.kernel.syscalls import MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_REC, MS_REMOUNT

SIZE = "size=256m,nr_inodes=65536"  # of all that the pod may write outside of its volumes
TREES = ("usr", "opt", "bin", "sbin", "lib", "lib32", "lib64", "libx32")
DIRECTORIES = (
    ("tmp", 0o1777), ("run", 0o755), ("run/lock", 0o1777), ("root", 0o700), ("home", 0o755), ("mnt", 0o755),
    ("srv", 0o755), ("var", 0o755), ("var/tmp", 0o1777), ("var/log", 0o755), ("var/lib", 0o755), ("var/cache", 0o755),
    ("var/spool", 0o755), ("dev", 0o755), ("dev/pts", 0o755), ("dev/shm", 0o1777), ("proc", 0o555), ("sys", 0o555))
LINKS = (("var/run", "/run"), ("var/lock", "/run/lock"), ("dev/ptmx", "pts/ptmx"),
         ("dev/fd", "/proc/self/fd"), ("dev/stdin", "/proc/self/fd/0"), ("dev/stdout", "/proc/self/fd/1"),
         ("dev/stderr", "/proc/self/fd/2"))
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
PROC_READ_ONLY = ("bus", "fs", "irq", "sys", "sysrq-trigger")
PROC_MASKED = ("acpi", "asound", "kcore", "keys", "latency_stats", "sched_debug", "scsi", "timer_list", "timer_stats")
SYS_MASKED = ("firmware", "devices/virtual/powercap", "kernel/debug", "kernel/security")


def enter(sandbox: Sandbox) -> None:
    """Builds the root and moves the calling process into it: PID 1 of new PID, mount, UTS and IPC namespaces."""
    root = f"{sandbox.directory}/rootfs"
    os.makedirs(root, exist_ok=True)
    syscalls.mount("", "/", flags=MS_REC | syscalls.MS_PRIVATE)
    syscalls.mount("tmpfs", root, "tmpfs", MS_NOSUID | MS_NODEV, data=f"{SIZE},mode=755")
    own = [*sandbox.mounts, *_programs(sandbox)]
    trees = [(syscalls.open_tree(mount.source), mount.target, mount.read_only) for mount in own]
    for name in TREES:
        _show(f"/{name}", f"{root}/{name}")
    pod_etc.show("/etc", f"{root}/etc")
    for name, mode in DIRECTORIES:
        os.mkdir(f"{root}/{name}")
        os.chmod(f"{root}/{name}", mode)  # whatever the umask is
    for name, target in LINKS:
        os.symlink(target, f"{root}/{name}")
    for name in DEVICES:
        os.close(os.open(f"{root}/dev/{name}", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666))
        # Read-only concerns mode and owner of the machine's node; reading and writing the device goes on.
        mounts.bind(f"/dev/{name}", f"{root}/dev/{name}", MS_RDONLY | MS_NOSUID | MS_NOEXEC, recursive=False)
    _kernel_views(root)
    syscalls.pivot_root(root)
    # Only now, so that symbolic links lead to what the pod sees.
    hidden = [("/proc", PROC_MASKED), ("/sys", SYS_MASKED)]
    mounts.mask([f"{tree}/{name}" for tree, names in hidden for name in names])
    mounts.attach(trees)


def _show(source: str, target: str) -> None:
    if os.path.islink(source):
        os.symlink(os.readlink(source), target)
    elif os.path.isdir(source):
        os.mkdir(target)
        mounts.bind(source, target, MS_RDONLY | MS_NOSUID | MS_NODEV)


def _kernel_views(root: str) -> None:
    closed = MS_NOSUID | MS_NODEV | MS_NOEXEC
    syscalls.mount("proc", f"{root}/proc", "proc", closed)
    for name in PROC_READ_ONLY:
        path = f"{root}/proc/{name}"
        if os.path.exists(path):
            syscalls.mount(path, path, flags=MS_BIND | MS_REC)
            syscalls.mount("", path, flags=MS_REMOUNT | MS_BIND | MS_RDONLY | closed)
    try:
        syscalls.mount("sysfs", f"{root}/sys", "sysfs", closed | MS_RDONLY)
    except PermissionError:  # in a user namespace that does not own the netns
        mounts.bind("/sys", f"{root}/sys", closed | MS_RDONLY)
    try:
        syscalls.mount("devpts", f"{root}/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
                       data="newinstance,ptmxmode=0666,mode=0620,gid=5")
    except OSError:  # a user namespace without the group tty
        syscalls.mount("devpts", f"{root}/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, data="newinstance,ptmxmode=0666")


def _programs(sandbox: Sandbox) -> list[Mount]:
    """Mounts of the sandbox's bin directory and, where it asks, of the interpreter and this package, unless seen."""
    wanted = [sandbox.bin_directory] if sandbox.bin_directory else []
    if sandbox.python:
        wanted += [sys.base_prefix, sys.base_exec_prefix, sys.prefix, str(Path(__file__).resolve().parents[1])]
    seen = [f"/{name}" for name in (*TREES, "etc")] + [mount.target for mount in sandbox.mounts]
    found: list[Mount] = []
    for path in wanted:
        if os.path.isdir(path) and not _below(path, seen):
            found.append(Mount(path, path))
            seen.append(path)
    return found


def _below(path: str, roots: Sequence[str]) -> bool:
    return any(path == root or path.startswith(root + "/") for root in roots)
