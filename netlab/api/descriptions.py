"""What `kubectl explain` says of types and fields; read when it is asked for, and never before.

It lies in `descriptions/*.txt`: a line `Type: text`, below it the fields, indented by two, `  field: text`; a line
that is indented by four continues the one above. What stands under `*` holds for fields of that name in every type that
has no words of its own for them.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

FILES = Path(__file__).parent / "descriptions"
ANY = "*"


def of_type(name: str) -> str:
    """What a type is; empty when nobody has written it."""
    return _texts().get((name, ""), "")


def of_field(owner: str, name: str) -> str:
    """What a field is for; empty when nobody has written it."""
    texts = _texts()
    return texts.get((owner, name)) or texts.get((ANY, name), "")


@cache
def _texts() -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    owner, field = "", ""
    for path in sorted(FILES.glob("*.txt")):
        for line in path.read_text().splitlines():
            depth = len(line) - len(line.lstrip())
            text = line.strip()
            if not text or line.startswith("#"):
                continue
            if depth > 2:
                found[owner, field] += " " + text
                continue
            name, _, text = text.partition(": ")
            owner, field = (name.rstrip(":"), "") if depth == 0 else (owner, name.rstrip(":"))
            found[owner, field] = text
    return found
