"""Steps that look at objects and at the rules made of them: get, rules."""

from __future__ import annotations

import re
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
    return Observation(f"{node}$ iptables-save | grep {stage.namespace}/{said['of']}", stdout=lines)


def of_service(ruleset: str, service: str) -> str:
    """The rules whose comment names the Service NAMESPACE/NAME."""
    named = re.compile(rf'[" ]{re.escape(service)}(?=[:" ])')
    return "".join(line + "\n" for line in ruleset.splitlines() if line.startswith("-A") and named.search(line))
