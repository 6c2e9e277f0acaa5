"""What a server serves: kinds, and the other versions of kinds, by the names that paths and discovery have for them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from netlab.api import custom_kinds
from netlab.api.resource import Resource
from netlab.api.resources import RESOURCES
from netlab.api.views import VIEWS, View
from netlab.model.meta import Manifest

_VERSION = re.compile(r"v([1-9][0-9]*)(?:(alpha|beta)([1-9][0-9]*))?")
_STABILITY = {None: 2, "beta": 1, "alpha": 0}


class Served:
    """The built-in kinds, and those of CustomResourceDefinitions. It never changes: a new definition makes a new one.

    `resources` has the kinds as they are stored, by `Resource.key`.
    """

    def __init__(self, definitions: Iterable[Manifest] = ()) -> None:
        self.resources: dict[str, Resource] = dict(RESOURCES)
        self._places: dict[tuple[str, str, str], tuple[Resource, View | None]] = {
            (kind.group, kind.version, kind.plural): (kind, None) for kind in RESOURCES.values()}
        self._places |= {place: (RESOURCES[view.served.plural], view) for place, view in VIEWS.items()}
        for definition in definitions:
            custom = custom_kinds.of(definition)
            self.resources[custom.kind.key] = custom.kind
            if custom.is_served:
                self._places[custom.kind.group, custom.kind.version, custom.kind.plural] = custom.kind, None
            self._places |= {(view.served.group, view.served.version, view.served.plural): (custom.kind, view)
                             for view in custom.views}

    def find(self, group: str, version: str, plural: str) -> tuple[Resource, View | None] | None:
        """The stored kind, and the view of it if that version is not the stored one."""
        return self._places.get((group, version, plural))

    def kinds(self, group: str, version: str) -> list[Resource]:
        """The kinds of one version of a group."""
        return [kind for kind in self.everything() if (kind.group, kind.version) == (group, version)]

    def everything(self) -> list[Resource]:
        """Every kind in every version; the stored ones of the built-in kinds come first."""
        found = [view.served if view else kind for kind, view in self._places.values()]
        return sorted(found, key=lambda kind: kind.custom)

    def groups(self) -> tuple[str, ...]:
        """The groups besides the core one, in the order in which ambiguous names are looked up."""
        return tuple(dict.fromkeys(kind.group for kind in self.everything() if kind.group))

    def versions(self, group: str) -> list[str]:
        """The versions of a group, the preferred one first."""
        return sorted({kind.version for kind in self.everything() if kind.group == group}, key=priority)


def priority(version: str) -> tuple[int, int, int, str]:
    """Sorts versions as upstream does: v2, v1, v1beta2, v1beta1, v1alpha1, others by name."""
    found = _VERSION.fullmatch(version)
    if found is None:
        return 1, 0, 0, version
    return -_STABILITY[found[2]], -int(found[1]), -int(found[3] or 0), ""


BUILT_IN = Served()
