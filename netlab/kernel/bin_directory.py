"""A directory for the PATH of nodes and pods in which `iptables` and its kin are the legacy variants.

The lab's rules are in the legacy tables. On most machines `iptables` is the nft variant, which would show none.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from netlab.model.errors import LabError

ALTERNATIVES = Path("/etc/alternatives")
PROGRAMS = tuple(f"{family}{action}" for family in ("iptables", "ip6tables") for action in ("", "-save", "-restore"))
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
INSTALL = "apt-get install iptables (or your distribution's package of iptables-legacy)"


def make(directory: Path, *, needed: bool = True) -> Path:
    """The directory, made or completed: symlinks to the legacy programs.

    LabError (exit code 3) when they are `needed` and there are none.
    """
    directory.mkdir(exist_ok=True)
    directory.chmod(0o755)  # whatever the umask is: programs there may run as other users
    for program in PROGRAMS:
        target = legacy(program)
        if target is None:
            if program.startswith("ip6") or not needed:
                continue
            raise LabError(f"the legacy variant of {program} is not installed", hint=INSTALL, exit_code=3)
        link = directory / program
        if not link.is_symlink() or os.readlink(link) != target:
            link.unlink(missing_ok=True)
            link.symlink_to(target)
    return directory


def add_launchers(directory: Path, entries: Mapping[str, str]) -> None:
    """Adds programs that run built-ins (name -> "package.module:function"), for scripts that call them by name.

    A program of the machine is never hidden by one of these.
    """
    root = Path(__file__).resolve().parents[2]
    for name, entry in entries.items():
        place = directory / name
        if which(name) or place.exists():
            continue
        module, _, function = entry.partition(":")
        code = (f"import sys; sys.path.insert(0, {str(root)!r}); from {module} import {function} as main; "
                "sys.exit(main(sys.argv[1:]))")
        place.write_text(f"#!/bin/sh\nexec {shlex.quote(sys.executable)} -s -E -P -c {shlex.quote(code)} \"$@\"\n")
        place.chmod(0o755)
    for name in ("python", "python3"):  # images have both, Debian the second only; pods see system programs only
        place = directory / name
        if not any(os.path.exists(f"{path}/{name}") for path in SYSTEM_PATH.split(":")) and not place.is_symlink():
            place.symlink_to(os.path.realpath(sys.executable))


def make_alternatives(directory: Path) -> Path | None:
    """A copy of /etc/alternatives where iptables and its kin are the legacy programs; None on a machine without them.

    `ip netns exec` shows it to programs in a node, so that what people type there speaks of the tables that we write.
    """
    if not (ALTERNATIVES / "iptables").is_symlink():
        return None
    directory.mkdir(exist_ok=True)
    directory.chmod(0o755)  # whatever the umask is: programs there may run as other users
    for entry in filter(os.DirEntry.is_symlink, os.scandir(ALTERNATIVES)):
        target = legacy(entry.name) if entry.name in PROGRAMS else None
        with contextlib.suppress(FileExistsError):
            os.symlink(target or os.readlink(entry.path), directory / entry.name)
    return directory


def legacy(program: str) -> str | None:
    """Where the legacy variant of `iptables`, `iptables-save`, ... is, or None."""
    family, _, action = program.partition("-")
    found = which(f"{family}-legacy" + (f"-{action}" if action else ""))
    if found:
        return found
    plain = which(program)  # where there is no choice of variants, or the administrator has chosen
    return plain if plain and os.path.basename(os.path.realpath(plain)) == "xtables-legacy-multi" else None


def which(program: str) -> str | None:
    """Where a program is, on the PATH or where system programs are (root's PATH may lack sbin)."""
    for directory in search_path().split(":"):
        path = f"{directory or '.'}/{program}"
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def search_path(*first: str, given: str | None = None) -> str:
    """A PATH: those directories, what is given (this process's PATH by default), and the system's directories."""
    parts = [*first, *(os.environ.get("PATH", "") if given is None else given).split(":"), *SYSTEM_PATH.split(":")]
    return ":".join(dict.fromkeys(part for part in parts if part))
