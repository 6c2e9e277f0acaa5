"""Nodes: the machines of the cluster."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from netlab.api.columns import NONE, UNKNOWN, age, joined
from netlab.api.resource import Column, Resource
from netlab.model import meta
from netlab.model.errors import FieldError, forbidden, not_supported, required
from netlab.model.meta import Manifest

_ROLE = "node-role.kubernetes.io/"
_EFFECTS = ["NoExecute", "NoSchedule", "PreferNoSchedule"]


def _validate(new: Manifest, old: Manifest | None) -> list[FieldError]:
    spec = meta.spec(new)
    errors = []
    for index, taint in enumerate(spec.get("taints") or ()):
        if not taint.get("key"):
            errors.append(required(f"metadata.taints[{index}].key"))
        if taint.get("effect") not in _EFFECTS:
            errors.append(not_supported(f"metadata.taints[{index}].effect", taint.get("effect", ""), _EFFECTS))
    before = meta.spec(old).get("podCIDR") if old else None
    if before and spec.get("podCIDR") != before:
        errors.append(forbidden("spec.podCIDR", "node updates may not change podCIDR except from \"\" to valid"))
    return errors


def _row(manifest: Manifest, now: datetime) -> list[Any]:
    status = meta.status(manifest)
    info = status.get("nodeInfo") or {}
    ready = {c.get("type"): c.get("status") for c in status.get("conditions") or ()}.get("Ready")
    word = {"True": "Ready", None: "Unknown"}.get(ready, "NotReady")
    if meta.spec(manifest).get("unschedulable"):
        word += ",SchedulingDisabled"
    roles = sorted(key.removeprefix(_ROLE) for key in meta.labels(manifest) if key.startswith(_ROLE))
    found: dict[str, str] = {}
    for address in status.get("addresses") or ():
        found.setdefault(address.get("type", ""), address.get("address", ""))
    return [meta.name(manifest), word, joined(filter(None, roles)), age(manifest, now), info.get("kubeletVersion", ""),
            found.get("InternalIP", NONE), found.get("ExternalIP", NONE), info.get("osImage") or UNKNOWN,
            info.get("kernelVersion") or UNKNOWN, info.get("containerRuntimeVersion") or UNKNOWN]


NODES = Resource(
    "nodes", "Node", namespaced=False, short_names=("no",), subresources=("status", "proxy"), status_on_create=True,
    validate=_validate,
    columns=(Column("Name"), Column("Status"), Column("Roles"), Column("Age"), Column("Version"),
             Column("Internal-IP", 1), Column("External-IP", 1), Column("OS-Image", 1), Column("Kernel-Version", 1),
             Column("Container-Runtime", 1)),
    row=_row)
