"""What the API knows of one kind: its names, and the functions that make an object valid and printable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from netlab.model.errors import FieldError
from netlab.model.meta import Manifest

if TYPE_CHECKING:
    from netlab.api.registry import Registry

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


class Column(NamedTuple):
    """A column of the kind's table; priority 1 is shown by `-o wide` only."""

    name: str
    priority: int = 0
    type: str = "string"


def _nothing(manifest: Manifest) -> None: ...


def _no_errors(new: Manifest, old: Manifest | None) -> list[FieldError]:
    return []


def _prepare_nothing(registry: Registry, new: Manifest, old: Manifest | None) -> None: ...


def _name_only(manifest: Manifest, now: datetime) -> list[Any]:
    return []


@dataclass(frozen=True)
class Resource:
    """One kind of object.

    `default` and `prepare` change the private copy that they are given; `validate` gives every error there is.
    The order at a write is: defaults, `prepare` (allocations, carried-over fields), validation.
    """

    plural: str
    kind: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ("status",)
    default: Callable[[Manifest], None] = _nothing
    prepare: Callable[[Registry, Manifest, Manifest | None], None] = _prepare_nothing
    validate: Callable[[Manifest, Manifest | None], list[FieldError]] = _no_errors
    columns: tuple[Column, ...] = ()
    row: Callable[[Manifest, datetime], list[Any]] = _name_only

    @property
    def singular(self) -> str:
        """The kind in lower case."""
        return self.kind.lower()

    @property
    def api_version(self) -> str:
        """`v1`, `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version
