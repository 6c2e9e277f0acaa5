"""When an object that is being deleted may go, and what holds it until then."""

from __future__ import annotations

from typing import Any

from netlab.api.resource import Resource
from netlab.model import meta
from netlab.model.meta import Manifest

ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"


def ready_to_go(manifest: Manifest) -> bool:
    """Whether nothing holds an object that is being deleted any more."""
    data = meta.metadata(manifest)
    held = data.get("finalizers") or data.get("deletionGracePeriodSeconds") or (
        manifest["kind"] == "Namespace" and meta.spec(manifest).get("finalizers"))
    return meta.is_deleting(manifest) and not held


def grace_period(kind: Resource, pod: Manifest, asked: int | None) -> int:
    """Seconds that a pod's processes have to end; 0 for everything that no kubelet looks after."""
    if kind.plural != "pods" or not meta.spec(pod).get("nodeName"):
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
