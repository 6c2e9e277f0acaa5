"""When an object that is being deleted may go, and what holds it until then."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from netlab.api.decode import copy
from netlab.api.resource import Resource
from netlab.model import meta
from netlab.model.errors import conflict
from netlab.model.meta import Manifest

ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"


def ready_to_go(manifest: Manifest) -> bool:
    """Whether nothing holds an object that is being deleted any more."""
    data = meta.metadata(manifest)
    held = data.get("finalizers") or data.get("deletionGracePeriodSeconds") or (
        (manifest["apiVersion"], manifest["kind"]) == ("v1", "Namespace") and meta.spec(manifest).get("finalizers"))
    return meta.is_deleting(manifest) and not held


def check(kind: Resource, old: Manifest, *, uid: str, resource_version: str) -> None:
    """ApiError 409 when the object is not the one that the preconditions name ("" for none)."""
    if uid and uid != meta.uid(old):
        raise conflict(kind.plural, meta.name(old), kind.group, f"the UID in the precondition ({uid}) does not match "
                       f"the UID in record ({meta.uid(old)}). The object might have been deleted and then recreated")
    present = old["metadata"]["resourceVersion"]
    if resource_version and resource_version != present:
        raise conflict(kind.plural, meta.name(old), kind.group, "the ResourceVersion in the precondition "
                       f"({resource_version}) does not match the ResourceVersion in record ({present}). The object "
                       "might have been modified")


def marked(kind: Resource, old: Manifest, *, propagation: str, grace_period: int | None, now: datetime) -> Manifest:
    """A copy that is being deleted; `old` itself when it is so already and nothing changes."""
    new: Manifest = copy(old)
    data = new["metadata"]
    set_finalizers(data, propagation)
    grace = seconds_to_end(kind, old, grace_period)
    if meta.is_deleting(old):
        grace = min(grace, data.get("deletionGracePeriodSeconds") or 0)
        if grace == data.get("deletionGracePeriodSeconds", 0) and new == old and not ready_to_go(new):
            return old
    else:
        data["deletionTimestamp"] = meta.timestamp(now + timedelta(seconds=grace))
        if data.get("generation"):
            data["generation"] += 1
        kind.on_delete(new, meta.timestamp(now))
    if kind.key == "namespaces":
        new["status"] = {**meta.status(new), "phase": "Terminating"}
    else:
        data["deletionGracePeriodSeconds"] = grace
    return new


def seconds_to_end(kind: Resource, pod: Manifest, asked: int | None) -> int:
    """Seconds that a pod's processes have to end; 0 for everything that no kubelet looks after."""
    if kind.key != "pods" or not meta.spec(pod).get("nodeName"):
        return 0
    if meta.status(pod).get("phase") in ("Succeeded", "Failed"):
        return 0
    return max(0, int(meta.spec(pod).get("terminationGracePeriodSeconds", 30)) if asked is None else asked)


def set_finalizers(data: dict[str, Any], propagation: str) -> None:
    """Puts the garbage collector's finalizers into the metadata, or takes them out, as the policy wants."""
    if propagation not in ("Background", "Orphan", "Foreground"):
        return
    kept = [finalizer for finalizer in data.get("finalizers") or () if finalizer not in (ORPHAN, FOREGROUND)]
    if propagation != "Background":
        kept.append(ORPHAN if propagation == "Orphan" else FOREGROUND)
    if kept:
        data["finalizers"] = kept
    else:
        data.pop("finalizers", None)
