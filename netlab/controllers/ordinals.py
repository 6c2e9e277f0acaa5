"""The next step of a StatefulSet, from its numbered pods as they are (upstream: updateStatefulSet)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Member:
    """One pod of a set: its revision, and how it is. `available`: running and ready for long enough."""

    revision: str
    available: bool = True
    deleting: bool = False
    finished: bool = False

    @property
    def healthy(self) -> bool:
        """Whether the next one may have its turn."""
        return self.available and not self.deleting and not self.finished


@dataclass(frozen=True)
class Wanted:
    """What the set asks for: numbers `start` and up, those from `partition` on with the `updated` revision."""

    replicas: int
    current: str
    updated: str
    start: int = 0
    partition: int = 0
    parallel: bool = False
    rolling: bool = True

    @property
    def numbers(self) -> range:
        """The ordinals."""
        return range(self.start, self.start + self.replicas)

    def revision(self, ordinal: int) -> str:
        """The revision that a new pod of that number gets."""
        return self.current if self.rolling and ordinal < self.start + self.partition else self.updated


@dataclass(frozen=True)
class Action:
    """`verb` is create, delete, or replace: delete a pod that has ended, so that it is made anew."""

    verb: str
    ordinal: int
    revision: str = ""


def steps(wanted: Wanted, members: Mapping[int, Member]) -> list[Action]:
    """What to do now; nothing when a pod has to become healthy, or to be gone, before the next step."""
    found: list[Action] = []
    for ordinal in wanted.numbers:
        member = members.get(ordinal)
        if member is None:
            found.append(Action("create", ordinal, wanted.revision(ordinal)))
        elif member.finished and not member.deleting:
            found.append(Action("replace", ordinal))
        elif member.healthy:
            continue
        if not wanted.parallel:
            return found
    surplus = sorted((ordinal for ordinal in members if ordinal not in wanted.numbers), reverse=True)
    for ordinal in surplus:
        member = members[ordinal]
        if not member.deleting:
            found.append(Action("delete", ordinal))
        if not wanted.parallel:
            return found
    return found or _update(wanted, members)


def _update(wanted: Wanted, members: Mapping[int, Member]) -> list[Action]:
    """The highest number that has an old revision goes, once all above it are healthy."""
    if not wanted.rolling:
        return []
    for ordinal in reversed(wanted.numbers):
        member = members.get(ordinal)
        if ordinal < wanted.start + wanted.partition or member is None:
            break
        if member.revision != wanted.updated and not member.deleting:
            return [Action("delete", ordinal)]
        if not member.healthy:
            break
    return []
