"""Exit codes as files in a pod's directory: NAME.exit is there whole or not at all, and outlives every process."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

SUFFIX = ".exit"


class ExitWriter:
    """Writes them through a descriptor, since the pod's init does not see the directory any more."""

    def __init__(self, directory: int) -> None:
        self.directory = directory
        self.unwritten: dict[str, dict[str, float]] = {}

    def write(self, name: str, facts: dict[str, float]) -> bool:
        """Whether it could be written; if not (a full disk), it waits in `unwritten` for `retry`."""
        file = name + SUFFIX
        try:
            descriptor = os.open(f".{file}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600,
                                 dir_fd=self.directory)
            try:
                os.write(descriptor, json.dumps(facts).encode())
            finally:
                os.close(descriptor)
            os.rename(f".{file}", file, src_dir_fd=self.directory, dst_dir_fd=self.directory)
        except OSError as error:
            print(f"{file}: {error}", file=sys.stderr, flush=True)
            self.unwritten[name] = facts
            return False
        return True

    def retry(self) -> list[str]:
        """The names that could be written now."""
        return [name for name in list(self.unwritten) if self.write(name, self.unwritten.pop(name))]

    def has(self, name: str) -> bool:
        """Whether a process of that name has ended."""
        if name in self.unwritten:
            return True
        try:
            os.stat(name + SUFFIX, dir_fd=self.directory)
        except FileNotFoundError:
            return False
        return True


def read_all(directory: str) -> dict[str, dict[str, Any]]:
    """The facts of all processes that have ended, by name."""
    return {path.name.removesuffix(SUFFIX): json.loads(path.read_text())
            for path in Path(directory).glob(f"[!.]*{SUFFIX}")}
