"""Steps that look at objects and at the rules made of them: get, rules."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from netlab.scenario.actions import Observation, action
from netlab.scenario.changes import OBJECT
from netlab.scenario.schema import Record, Short, Text
from netlab.scenario.stage import Stage


@action("get", Short("object", Record({"object": OBJECT, "list": Text(), "selector": Text()},
                                      one_of=("object", "list"))),
        looks=True, checks=("json", "count"))
def get(stage: Stage, said: dict[str, Any]) -> Observation:
    """One object, or a list of them."""
    if "object" in said:
        return Observation(f"get {said['object']}", value=stage.object(said["object"]))
    selector = said.get("selector", "")
    items = stage.objects(said["list"], selector=selector)
    return Observation(f"get {said['list']}" + (f" -l {selector}" if selector else ""), value={"items": items})


@action("rules", Record({"of": Text(), "node": Text()}, required=("of",)), looks=True, checks=("rules",))
def rules(stage: Stage, said: dict[str, Any]) -> Observation:
    """kube-proxy's rules of one Service on a node (the first one unless said otherwise)."""
    node = said.get("node", stage.lab.spec.nodes[0])
    lines = of_service(stage.lab.rules(node), f"{stage.namespace}/{said['of']}")
    listing = "nft list ruleset" if stage.lab.spec.proxy_mode == "nftables" else "iptables-save"
    return Observation(f"{node}$ {listing} | grep {stage.namespace}/{said['of']}", stdout=lines)


def of_service(ruleset: str, service: str) -> str:
    """The rules whose comment names the Service NAMESPACE/NAME; of nftables its chains, and what leads to them."""
    name = re.escape(service)
    if ruleset.startswith("table "):
        found = list(_in_nftables(ruleset, re.compile(rf'-{name}/|"{name}[:"]')))
    else:
        named = re.compile(rf'[" ]{name}(?=[:" ])')
        found = [line for line in ruleset.splitlines() if line.startswith("-A") and named.search(line)]
    return "".join(line + "\n" for line in found)


def _in_nftables(tables: str, named: re.Pattern[str]) -> Iterator[str]:
    inside = False
    for line in tables.splitlines():
        if line.startswith("\tchain "):
            inside = bool(named.search(line))
        if (inside and line) or (line.startswith("\t\t") and named.search(line)):
            yield line.strip() if not inside else line
        inside = inside and line != "\t}"
