"""The step `run`: a program in a node, in the client, or in a pod."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import Any

from netlab.scenario.actions import Observation, action
from netlab.scenario.schema import Duration, Many, Notes, Record, Text
from netlab.scenario.source import Field
from netlab.scenario.stage import Stage


@dataclass(frozen=True)
class Program:
    """A line for the shell, or a list of a program and its arguments."""

    called: str = "a command as text or as a list"

    def read(self, value: Any, where: Field, notes: Notes) -> tuple[str, ...]:
        """What is executed."""
        if isinstance(value, list):
            words: tuple[str, ...] = Many(Text()).read(value, where, notes)
            return words
        return ("sh", "-c", Text(called=self.called).read(value, where, notes))


@action("run", Record({"in": Text(), "command": Program(), "container": Text(), "limit": Duration()},
                      required=("in", "command")),
        looks=True, checks=("exitCode", "stdout", "stderr", "json"), defaults=(("exitCode", 0, ("exitCode",)),))
def run(stage: Stage, said: dict[str, Any]) -> Observation:
    """Runs the program, with a limit of 10 s unless the step says otherwise (exit code 124 then)."""
    words = list(said["command"])
    code, out, error = stage.run(said["in"], words, limit=said.get("limit", 10.0), container=said.get("container", ""))
    shown = words[2].strip() if words[:2] == ["sh", "-c"] else shlex.join(words)
    return Observation(f"{said['in']}$ {shown}", exit_code=code, stdout=out, stderr=error, value=_json(out))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
