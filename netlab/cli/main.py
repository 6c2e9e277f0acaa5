"""The entry point: reads the command line, imports what that command needs, returns its exit code."""

from __future__ import annotations


def main(argv: list[str] | None = None) -> int:
    """Runs one command; gives its exit code."""
    raise NotImplementedError
