"""ControllerRevisions: the templates that a StatefulSet or DaemonSet has had, each with a number."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from netlab.api.registry import Registry
from netlab.controllers.owned import Owned
from netlab.controllers.pod_template import template_hash
from netlab.model import meta
from netlab.model.errors import ApiError
from netlab.model.meta import Manifest

REVISION_LABEL = "controller-revision-hash"


@dataclass(frozen=True)
class History:
    """The revision of the present template (None: its name is taken, `collisions` must go up), and all others."""

    present: Manifest | None
    others: tuple[Manifest, ...]
    collisions: int

    def find(self, name: str) -> Manifest | None:
        """The revision of that name."""
        found = (item for item in (self.present, *self.others) if item is not None and meta.name(item) == name)
        return next(found, None)


class Revisions:
    """The revisions of one kind's objects, kept in step with their templates."""

    def __init__(self, registry: Registry, *, hash_label: str) -> None:
        self._registry = registry
        self._label = hash_label
        self.owned = Owned(registry, "controllerrevisions")

    def follow(self, owner: Manifest) -> History:
        """Makes sure that the present template has a revision, and that it is the newest."""
        found = self.owned.claim(owner)
        collisions = int(meta.status(owner).get("collisionCount") or 0)
        data = patch_of(owner)
        same = sorted((item for item in found if item.get("data") == data), key=_number)
        newest = max(map(_number, found), default=0)
        present: Manifest | None
        if same:
            present = same[-1]
            if _number(present) != newest or len([item for item in found if _number(item) == newest]) > 1:
                present = self._registry.update("controllerrevisions", present | {"revision": newest + 1})
        else:
            present = self._create(owner, data, newest + 1, collisions)
            collisions += present is None
        uid = meta.uid(present) if present else ""
        return History(present, tuple(item for item in found if meta.uid(item) != uid), collisions)

    def _create(self, owner: Manifest, data: dict[str, Any], number: int, collisions: int) -> Manifest | None:
        spec = meta.spec(owner)
        value = template_hash(spec["template"], collisions)
        manifest = {
            "metadata": {"name": f"{meta.name(owner)}-{value}", "namespace": meta.namespace(owner),
                         "labels": {**meta.labels(spec["template"]), self._label: value},
                         "annotations": dict(meta.annotations(owner)),
                         "ownerReferences": [meta.owner_reference(owner)]},
            "data": data, "revision": number}
        try:
            return self._registry.create("controllerrevisions", manifest)
        except ApiError as error:
            if error.reason == "AlreadyExists":
                return None
            raise

    def clean_up(self, owner: Manifest, history: History, live: Collection[str]) -> None:
        """Deletes the oldest revisions beyond revisionHistoryLimit that no pod has (`live` are names)."""
        limit = int(meta.spec(owner).get("revisionHistoryLimit", 10))
        idle = sorted((item for item in history.others if meta.name(item) not in live), key=_number)
        for item in idle[:max(0, len(idle) - limit)]:
            self._registry.delete("controllerrevisions", meta.name(item), namespace=meta.namespace(item))


def patch_of(owner: Manifest) -> dict[str, Any]:
    """The strategic merge patch that brings the present template back.

    Its keys are in the order, and with the null, that `kubectl rollout undo` compares byte for byte.
    """
    template = meta.spec(owner)["template"]
    data = {"creationTimestamp": None, **(template.get("metadata") or {})}
    ordered: dict[str, Any] = _sorted({"spec": {"template": {**template, "metadata": data, "$patch": "replace"}}})
    return ordered


def template_of(revision: Manifest) -> dict[str, Any]:
    """The pod template that a revision keeps."""
    template = dict(revision["data"]["spec"]["template"])
    template.pop("$patch", None)
    data = {key: value for key, value in (template.get("metadata") or {}).items() if value is not None}
    return template | {"metadata": data}


def _number(revision: Manifest) -> int:
    return int(revision.get("revision") or 0)


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value
