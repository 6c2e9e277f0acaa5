"""What a step can do, by its name in the file; every action registers itself here.

To add one: write a function from (Stage, what the step says) to an Observation in one of the modules of
MODULES, and decorate it with `action`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from netlab.scenario.schema import Shape
from netlab.scenario.stage import Stage


@dataclass(frozen=True)
class HttpAnswer:
    """One answer, or instead of it `error`: refused, timeout, unknown host, no route, reset, empty answer."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    error: str = ""
    words: str = ""  # curl's own


@dataclass(frozen=True)
class Observation:
    """What an action did or saw; each action fills what its checks look at."""

    did: str  # one line: the command, the request
    lines: tuple[str, ...] = ()  # what it changed: `pod/coffee created`
    exit_code: int = 0
    stdout: str = ""
    stderr: str = ""
    value: Any = None  # an object, or parsed JSON
    http: tuple[HttpAnswer, ...] = ()
    rcode: str = ""
    answers: tuple[str, ...] = ()
    rejected: str = ""  # the API's words


class NotYet(Exception):
    """What an action waits for or looks at is not there yet; the text says what is there instead."""


@dataclass(frozen=True)
class Action:
    """One kind of step. One that only looks is repeated until its checks hold."""

    name: str
    shape: Shape
    run: Callable[[Stage, Any], Observation]
    looks: bool
    checks: tuple[str, ...] = ()
    defaults: tuple[tuple[str, Any, tuple[str, ...]], ...] = ()  # (check, expected, unless one of these is given)


ACTIONS: dict[str, Action] = {}
MODULES = ("changes", "commands", "http_step", "dns_step", "objects_step", "logs_step", "wait_step")


def action(name: str, shape: Shape, *, looks: bool, checks: tuple[str, ...] = (),
           defaults: tuple[tuple[str, Any, tuple[str, ...]], ...] = (),
           ) -> Callable[[Callable[[Stage, Any], Observation]], Callable[[Stage, Any], Observation]]:
    """Registers the decorated function as the action of that name."""

    def register(run: Callable[[Stage, Any], Observation]) -> Callable[[Stage, Any], Observation]:
        ACTIONS[name] = Action(name, shape, run, looks, checks, defaults)
        return run

    return register


def load() -> Mapping[str, Action]:
    """All actions by name."""
    for module in MODULES:
        import_module(f"netlab.scenario.{module}")
    return ACTIONS
