"""The texts of `netlab help TOPIC`: reference pages, each a file in `topics/` that is read when it is asked for."""

from __future__ import annotations

from pathlib import Path

FILES = Path(__file__).resolve().parent / "topics"
TOPICS = {
    "lab-file": "what a lab file says, key by key",
    "scenario": "lessons and tests in one file, key by key",
    "dns": "cluster DNS, and how to change it",
    "access": "kubectl, kubeconfigs, and who may do what",
    "pytest": "labs in tests, and scenario files as tests",
}
"""By name what the first line of each says; here as well, so that the overview reads no files."""


def text(topic: str) -> str:
    """The page of a topic."""
    return (FILES / f"{topic}.txt").read_text(encoding="utf-8")


def examples(topic: str) -> list[str]:
    """The examples in a page: its blocks indented by four, without that indentation."""
    found: list[list[str]] = []
    inside = False
    for line in text(topic).splitlines():
        if line.startswith("    ") and (inside or not line.startswith("     ")):
            if not inside:
                found.append([])
            inside = True
            found[-1].append(line[4:])
        elif line or not inside:
            inside = False
        else:
            found[-1].append("")
    return ["\n".join(lines).rstrip("\n") + "\n" for lines in found]
