"""The step `dns`: one question by dig, with the search list of the place that asks."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from netlab.scenario.actions import NotYet, Observation, action
from netlab.scenario.schema import Record, Text
from netlab.scenario.stage import Stage

TYPES = ("A", "AAAA", "CNAME", "PTR", "SRV", "TXT", "SOA", "NS", "ANY")
SHAPE = Record({"from": Text(), "name": Text(), "type": Text(choices=TYPES), "server": Text()}, required=("name",))


@action("dns", SHAPE, looks=True, checks=("rcode", "answers"), defaults=(("rcode", "NOERROR", ("rcode",)),))
def dns(stage: Stage, said: dict[str, Any]) -> Observation:
    """Asks from a pod, a node or the client; an address as the name asks for its PTR record."""
    source, name, kind = said.get("from", "client"), said["name"], said.get("type", "A")
    question = ["-x", name] if _is_address(name) else [name, kind]
    server = [f"@{said['server']}"] if "server" in said else []
    command = ["dig", "+search", "+tries=1", "+time=2", "+noall", "+comments", "+answer", *server, *question]
    code, out, error = stage.run(source, command, limit=15.0)
    status = re.search(r"status: ([A-Z0-9]+)", out)
    if code or not status:
        raise NotYet(f"no DNS answer: {(out + error).strip() or f'dig exit code {code}'}")
    return Observation(f"{source}$ dig +search {' '.join([*server, *question])}", rcode=status[1], answers=answers(out),
                       stdout=out)


def answers(output: str) -> tuple[str, ...]:
    """The data of the records in dig's answer section, sorted; a record of another type than asked has it in front."""
    lines = [line.split(None, 4) for line in output.splitlines() if line and not line.startswith(";")]
    kinds = {fields[3] for fields in lines if len(fields) == 5}
    return tuple(sorted(f"{fields[3]} {fields[4]}" if len(kinds) > 1 else fields[4]
                        for fields in lines if len(fields) == 5))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
