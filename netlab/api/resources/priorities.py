"""PriorityClasses, and what they make of a pod's priority (plugin/pkg/admission/priority)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from netlab.api.columns import age
from netlab.api.resource import Column, Objects, Resource
from netlab.model import meta
from netlab.model.errors import FieldError, forbidden, forbidden_request, not_supported
from netlab.model.meta import Manifest

SYSTEM = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
MOST = 1_000_000_000
_PLURAL, _PREEMPTION = "priorityclasses", "PreemptLowerPriority"


def system_classes() -> list[Manifest]:
    """Those that every cluster has."""
    told = {"system-cluster-critical": "Used for system critical pods that must run in the cluster, but can be moved "
                                       "to another node if necessary.",
            "system-node-critical": "Used for system critical pods that must not be moved from their current node."}
    return [{"metadata": {"name": name}, "value": value, "description": told[name]} for name, value in SYSTEM.items()]


def prioritise(registry: Objects, pod: Manifest) -> None:
    """Puts the priority of its class into a new pod. ApiError 403 when there is no such class, or it says another."""
    spec = pod["spec"]
    name = spec.get("priorityClassName") or ""
    found: Manifest | None = None
    if name:
        found = registry.find(_PLURAL, name)
        if found is None and name in SYSTEM:
            found = {"value": SYSTEM[name]}
        if found is None:
            raise forbidden_request("pods", meta.name(pod), f"no PriorityClass with name {name} was found")
    else:
        usual = [item for item in registry.list(_PLURAL) if item.get("globalDefault")]
        if usual:
            found = min(usual, key=lambda item: int(item["value"]))
            spec["priorityClassName"] = meta.name(found)
    value = int((found or {}).get("value", 0))
    if spec.get("priority") not in (None, value):
        raise forbidden_request("pods", meta.name(pod), f"the integer value of priority ({spec['priority']}) must not "
                                f"be provided in pod spec; priority admission controller computed {value} from the "
                                "given PriorityClass name")
    spec["priority"] = value
    spec["preemptionPolicy"] = spec.get("preemptionPolicy") or (found or {}).get("preemptionPolicy") or _PREEMPTION


def _default(manifest: Manifest) -> None:
    manifest.setdefault("value", 0)
    manifest["preemptionPolicy"] = manifest.get("preemptionPolicy") or _PREEMPTION


def _validate(new: Manifest, old: Manifest | None) -> list[FieldError]:
    errors, name = [], meta.name(new)
    if name.startswith("system-"):
        if SYSTEM.get(name) != new["value"]:
            errors.append(forbidden("metadata.name", "priority class names with 'system-' prefix are reserved for "
                                    f"system use only. error: {name} is not a known system priority class"))
    elif new["value"] > MOST:
        errors.append(forbidden("value", f"maximum allowed value of a user defined priority is {MOST}"))
    if new["preemptionPolicy"] not in (_PREEMPTION, "Never"):
        errors.append(not_supported("preemptionPolicy", new["preemptionPolicy"], ["Never", _PREEMPTION]))
    if old is not None:
        errors += [forbidden(field, "may not be changed in an update.") for field in ("value", "preemptionPolicy")
                   if new[field] != old.get(field)]
    return errors


def _row(manifest: Manifest, now: datetime) -> list[Any]:
    return [meta.name(manifest), manifest.get("value", 0), bool(manifest.get("globalDefault")), age(manifest, now),
            manifest.get("preemptionPolicy", "")]


PRIORITYCLASSES = Resource(
    _PLURAL, "PriorityClass", "scheduling.k8s.io", namespaced=False, short_names=("pc",), subresources=(),
    default=_default, validate=_validate,
    columns=(Column("Name"), Column("Value", 0, "integer"), Column("Global-Default", 0, "boolean"), Column("Age"),
             Column("PreemptionPolicy")), row=_row)
