"""Steps: one action each, with what it should lead to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from netlab.scenario import actions
from netlab.scenario.actions import Action
from netlab.scenario.checks import CHECKS
from netlab.scenario.lookup import parts
from netlab.scenario.problems import Place
from netlab.scenario.schema import Duration, Notes, Record, Shape, Text, describe
from netlab.scenario.source import Field
from netlab.scenario.variables import names

WITHIN = 10.0  # seconds that a check has to come true
SAVED = re.compile(r"(?P<text>stdout|body)|(?P<object>[A-Za-z.]+/\S+)\s+(?P<path>[.\[{]\S*)")


@dataclass(frozen=True)
class Step:
    """One thing to do, what to expect of it, and what to remember of it."""

    place: Place
    action: Action
    said: Any  # what the action is to do, as its shape reads it
    name: str = ""
    say: str = ""
    namespace: str = ""
    within: float = WITHIN
    stays_for: float = 0.0
    expect: Mapping[str, Any] = field(default_factory=dict)
    save: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The step's name, or the name of its action."""
        return self.name or self.action.name


@dataclass(frozen=True)
class Saves:
    """What to remember: by variable, `KIND/NAME PATH`, or `stdout` or `body` of the step."""

    called: str = "a mapping of names to `KIND/NAME .path`, `stdout` or `body`"

    def read(self, value: Any, where: Field, notes: Notes) -> dict[str, str]:
        """The sources by variable."""
        if not isinstance(value, dict) or not value:
            notes.wrong(where, f"must be {self.called}, not {describe(value)}")
            return {}
        for name, source in value.items():
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
                notes.wrong((*where, name), "a variable's name has letters, digits and _")
            match = SAVED.fullmatch(source) if isinstance(source, str) else None
            if match is None or (match["path"] and parts(match["path"]) is None):
                notes.wrong((*where, name), "must be `KIND/NAME .path`, `stdout` or `body`, "
                                            f"not {describe(source)}")
        return value


COMMON: dict[str, Shape] = {
    "name": Text(), "say": Text(), "namespace": Text(), "within": Duration(), "staysFor": Duration(), "save": Saves(),
}


@dataclass(frozen=True)
class StepShape:
    """A step; its `expect` may only hold checks that suit its action."""

    called: str = "a step"

    def read(self, value: Any, where: Field, notes: Notes) -> Step | None:
        """The step, None when nothing can be made of it."""
        known = actions.load()
        if not isinstance(value, dict):
            notes.wrong(where, f"must be {self.called}, not {describe(value)}")
            return None
        chosen = [key for key in value if key in known]
        shapes: dict[str, Shape] = dict(COMMON) | {key: known[key].shape for key in known}
        if len(chosen) == 1:
            allowed = {check: CHECKS[check].shape for check in known[chosen[0]].checks}
            shapes["expect"] = Record(allowed) if allowed else _NoChecks(chosen[0])
        elif "expect" in value:
            value = {key: item for key, item in value.items() if key != "expect"}
        said = Record(shapes, one_of=tuple(known)).read(value, where, notes)
        if len(chosen) != 1:
            return None
        action = known[chosen[0]]
        if "staysFor" in value and not action.looks:
            notes.wrong((*where, "staysFor"), f"does not suit {action.name}: it is done once")
        return Step(notes.document.place(where), action, said.get(action.name), said.get("name", ""),
                    said.get("say", ""), said.get("namespace", ""), said.get("within", WITHIN),
                    said.get("staysFor", 0.0), said.get("expect", {}), said.get("save", {}))


@dataclass(frozen=True)
class _NoChecks:
    action: str
    called: str = "nothing"

    def read(self, value: Any, where: Field, notes: Notes) -> dict[str, Any]:
        notes.wrong(where, f"does not suit {self.action}: it says itself what must come true")
        return {}


def check_variables(steps: list[dict[str, Any]], where: Field, known: set[str], notes: Notes) -> None:
    """Notes references to what no earlier step saves; adds what these steps save to `known`."""
    for index, step in enumerate(steps):
        if not isinstance(step, dict):
            continue
        for key, value in step.items():
            for name in dict.fromkeys(names(value)):
                if name not in known:
                    notes.wrong((*where, index, key), f"no earlier step saves ${{{name}}}"
                                f" (saved: {', '.join(sorted(known)) or 'nothing'})")
        known |= set(step["save"]) if isinstance(step.get("save"), dict) else set()
