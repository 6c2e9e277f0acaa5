"""What a kubelet tells of its node: conditions, now and then a heartbeat, and the lease that says it is alive.

Source: k8s.io/kubernetes/pkg/kubelet/nodestatus, and eviction's default thresholds.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from netlab.api.registry import Registry
from netlab.kernel import machine
from netlab.model import meta
from netlab.model.errors import ApiError
from netlab.model.meta import Manifest

LEASES = "kube-node-lease"
LEASE_SECONDS, RENEW_SECONDS = 40, 10.0
REPORT_SECONDS = 300.0  # between two reports that say the same
LEAST_MEMORY, LEAST_DISK, LEAST_PROCESSES = 100 * 1024 * 1024, 0.1, 100
GONE = ("NodeStatusUnknown", "Kubelet stopped posting node status.")


def conditions(directory: Path) -> list[dict[str, str]]:
    """How the node is, without times. `directory` is where its pods have their files."""
    short = (machine.available_memory() < LEAST_MEMORY, machine.free_share(directory) < LEAST_DISK,
             machine.free_processes() < LEAST_PROCESSES)
    names = (("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available",
              "KubeletHasInsufficientMemory", "kubelet has insufficient memory available"),
             ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure",
              "KubeletHasDiskPressure", "kubelet has disk pressure"),
             ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available",
              "KubeletHasInsufficientPID", "kubelet has insufficient PID available"))
    found = [{"type": name, "status": str(bad), "reason": wrong if bad else fine, "message": text if bad else well}
             for bad, (name, fine, well, wrong, text) in zip(short, names, strict=True)]
    return [*found, {"type": "Ready", "status": "True", "reason": "KubeletReady",
                     "message": "kubelet is posting ready status"}]


def report(registry: Registry, node: str, told: list[dict[str, str]]) -> None:
    """Writes the conditions with their times, if they say something new or the last report is old."""
    found = registry.find("nodes", node)
    if found is None:
        return
    now = registry.now()
    old = {condition.get("type"): condition for condition in meta.status(found).get("conditions") or ()}
    if all(_same(old.get(condition["type"]), condition) for condition in told) and \
            _age(old["Ready"].get("lastHeartbeatTime"), registry.clock()) < REPORT_SECONDS:
        return
    new = []
    for condition in told:
        before = old.pop(condition["type"], {})
        same = before.get("status") == condition["status"]
        new.append({"type": condition["type"], "status": condition["status"], "lastHeartbeatTime": now,
                    "lastTransitionTime": before.get("lastTransitionTime", now) if same else now,
                    "reason": condition["reason"], "message": condition["message"]})
    status = meta.status(found) | {"conditions": [*old.values(), *new]}
    registry.update("nodes", found | {"status": status}, subresource="status")


def report_gone(registry: Registry, node: str) -> None:
    """Says that the node's kubelet does not run: nothing is known of the node."""
    found = registry.find("nodes", node)
    kinds = [condition["type"] for condition in meta.status(found or {}).get("conditions") or ()]
    report(registry, node, [{"type": kind, "status": "Unknown", "reason": GONE[0], "message": GONE[1]}
                            for kind in kinds])


def renew_lease(registry: Registry, node: str) -> float:
    """Renews the node's lease when it is time; gives the seconds until the next time."""
    now = registry.clock()
    lease = registry.find("leases", node, LEASES)
    age = _age(meta.spec(lease).get("renewTime"), now) if lease else RENEW_SECONDS
    if 0 <= age < RENEW_SECONDS:
        return RENEW_SECONDS - age
    owner = registry.find("nodes", node)
    if owner is None:
        return RENEW_SECONDS
    spec = {"holderIdentity": node, "leaseDurationSeconds": LEASE_SECONDS,
            "renewTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
    reference = {"apiVersion": "v1", "kind": "Node", "name": node, "uid": meta.uid(owner)}
    try:
        if lease is None:
            made: Manifest = {"metadata": {"name": node, "namespace": LEASES, "ownerReferences": [reference]},
                              "spec": spec}
            registry.create("leases", made)
        else:
            registry.update("leases", lease | {"spec": {**meta.spec(lease), **spec}})
    except ApiError:
        pass  # its namespace is not there, or is going
    return RENEW_SECONDS


def _same(old: dict[str, str] | None, new: dict[str, str]) -> bool:
    return old is not None and all(old.get(key) == value for key, value in new.items())


def _age(moment: str | None, now: datetime) -> float:
    try:
        return (now - meta.parse_time(moment or "")).total_seconds()
    except ValueError:
        return REPORT_SECONDS
