"""The node's Ready condition."""

from __future__ import annotations

from netlab.api.registry import Registry
from netlab.model import meta


def set_ready(registry: Registry, node: str, *, ready: bool) -> None:
    """Writes whether the node's kubelet runs into the node's conditions, if it is not written there yet."""
    found = registry.find("nodes", node)
    if found is None:
        return
    now = registry.now()
    condition = {"type": "Ready", "status": "True", "reason": "KubeletReady",
                 "message": "kubelet is posting ready status"} if ready else \
                {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown",
                 "message": "Kubelet stopped posting node status."}
    conditions = list(meta.status(found).get("conditions") or ())
    old = next((c for c in conditions if c.get("type") == "Ready"), None)
    if old is not None and old.get("status") == condition["status"]:
        return
    condition |= {"lastHeartbeatTime": now, "lastTransitionTime": now}
    others = [c for c in conditions if c.get("type") != "Ready"]
    status = meta.status(found) | {"conditions": [*others, condition]}
    registry.update("nodes", found | {"status": status}, subresource="status")
