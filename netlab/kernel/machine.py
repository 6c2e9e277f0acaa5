"""What a node tells of the machine that it is part of."""

from __future__ import annotations

import os
import uuid
from pathlib import Path


def identity(lab: str, node: str) -> dict[str, str]:
    """machineID, systemUUID and bootID of a node: its own, the same at every start on this machine."""
    machine = _read("/etc/machine-id") or _read("/var/lib/dbus/machine-id")
    own = uuid.uuid5(uuid.NAMESPACE_DNS, f"{node}.{lab}.{machine}")
    system = uuid.uuid5(uuid.NAMESPACE_DNS, f"system.{node}.{lab}.{machine}")
    return {"machineID": own.hex, "systemUUID": str(system), "bootID": _read("/proc/sys/kernel/random/boot_id")}


def capacity(directory: Path) -> dict[str, str]:
    """CPUs, memory, huge pages, and the size of the filesystem that the pods' files are on."""
    disk = os.statvfs(_existing(directory))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024
    found = {"cpu": str(os.cpu_count()), "memory": f"{memory}Ki",
             "ephemeral-storage": f"{disk.f_frsize * disk.f_blocks // 1024}Ki"}
    for name, kilobytes in (("2Mi", 2048), ("1Gi", 1024 * 1024)):
        place = f"/sys/kernel/mm/hugepages/hugepages-{kilobytes}kB/nr_hugepages"
        if os.path.exists(place):
            pages = int(_read(place) or 0)
            found[f"hugepages-{name}"] = f"{pages * kilobytes}Ki" if pages else "0"
    return found


def available_memory() -> int:
    """Bytes of memory that programs can still have."""
    for line in _read("/proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")


def free_share(directory: Path) -> float:
    """How much of a filesystem is free, 0 to 1."""
    disk = os.statvfs(_existing(directory))
    return disk.f_bavail / disk.f_blocks if disk.f_blocks else 1.0


def free_processes() -> int:
    """How many more processes the kernel can have."""
    most = int(_read("/proc/sys/kernel/pid_max") or 32768)
    present = _read("/proc/loadavg").split()
    return most - int(present[3].partition("/")[2]) if len(present) > 3 else most


def _existing(directory: Path) -> Path:
    return next(path for path in (directory, *directory.parents) if path.exists())


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
