"""Log lines in the manner of CoreDNS."""

from __future__ import annotations

import os
import time


class Log:
    """Writes lines to a file descriptor at once; a reader who went away is no reason to stop."""

    def __init__(self, descriptor: int = 1, *, per_second: int = 10) -> None:
        self._descriptor = descriptor
        self._per_second = per_second
        self._second = 0
        self._written = 0

    def line(self, text: str) -> None:
        """Writes a line as it is; what is not printable ASCII is escaped."""
        shown = "".join(c if " " <= c <= "~" else ascii(c)[1:-1] for c in text)
        try:
            os.write(self._descriptor, shown.encode("ascii") + b"\n")
        except OSError:
            pass

    def info(self, text: str) -> None:
        """A line about the normal course."""
        self.line(f"[INFO] {text}")

    def warning(self, text: str) -> None:
        """A line about something that may pass."""
        self.line(f"[WARNING] {text}")

    def limited(self, level: str, text: str) -> None:
        """A line that clients cause; more than a few per second are left out."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._written = second, 0
        self._written += 1
        if self._written <= self._per_second:
            self.line(f"[{level}] {text}")
