"""Controllers that make one object right at a time, and look only at those whose inputs changed."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Iterable

from netlab.api.registry import Registry
from netlab.controllers.runtime import Controller
from netlab.model.errors import ApiError, LabError

Name = tuple[str, str]
"""Namespace and name of an object."""

TURN = 20  # objects made right before the other tasks of the loop get a turn


class PerObject(Controller):
    """A subclass writes `changed` and `sync`. An object whose `sync` fails stays on the list, and stops no other.

    `sync` sees the store's present state and has no `await` in it, so what it read is true while it writes.
    """

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self._waiting: set[Name] = set()
        self._due: dict[Name, float] = {}

    def changed(self) -> Iterable[Name]:
        """The objects of which an input changed since the last call; all at the first."""
        raise NotImplementedError

    def sync(self, namespace: str, name: str) -> float | None:
        """Makes one object right, or its things go if it is gone; gives the seconds until the next look, or None."""
        raise NotImplementedError

    async def reconcile(self) -> float | None:
        """Makes every object right of which an input changed or whose time has come."""
        now = time.monotonic()
        self._waiting.update(self.changed())
        self._waiting.update(key for key, due in self._due.items() if due <= now)
        errors = []
        for number, key in enumerate(sorted(self._waiting), 1):
            self._due.pop(key, None)
            try:
                delay = self.sync(*key)
            except Exception as error:
                if is_namespace_terminating(error):
                    self._waiting.discard(key)
                    continue
                if not isinstance(error, ApiError | LabError):
                    traceback.print_exc()
                errors.append(f"{'/'.join(filter(None, key))}: {str(error) or type(error).__name__}")
                continue
            self._waiting.discard(key)
            if delay is not None:
                self._due[key] = time.monotonic() + delay
            if number % TURN == 0:
                await asyncio.sleep(0)
        if errors:
            raise LabError("; ".join(errors[:5]), exit_code=5)
        return max(0.0, min(self._due.values()) - time.monotonic()) if self._due else None


def is_namespace_terminating(error: Exception) -> bool:
    """Whether the API refused to make something since its namespace is being deleted; then all is well."""
    causes = error.details.get("causes") or () if isinstance(error, ApiError) else ()
    return any(cause.get("reason") == "NamespaceTerminating" for cause in causes)
