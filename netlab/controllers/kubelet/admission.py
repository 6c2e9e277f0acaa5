"""What a kubelet refuses to run: pods whose spec.nodeName somebody wrote by hand are not seen by the scheduler.

Source: k8s.io/kubernetes/pkg/kubelet/lifecycle/predicate.go and pkg/scheduler's AdmissionCheck.
"""

from __future__ import annotations

from collections.abc import Iterable

from netlab.api.registry import Registry
from netlab.controllers import fit
from netlab.controllers.kubelet.doors import Recorder
from netlab.model import meta
from netlab.model.meta import Manifest


def refusal(pod: Manifest, node: Manifest, others: Iterable[Manifest]) -> tuple[str, str]:
    """The predicate that fails and why, ("", "") when the node can run the pod beside the `others` that it runs."""
    if not fit.selects(pod, node):
        return "NodeAffinity", fit.NO_AFFINITY
    wanted = fit.host_ports(pod)  # most pods have none: the others need no look then
    if wanted and any(port.clashes(taken) for other in others for taken in fit.host_ports(other) for port in wanted):
        return "NodePorts", fit.NO_PORTS
    return "", ""


def is_new(pod: Manifest) -> bool:
    """Whether no kubelet has looked at the pod yet."""
    return not meta.status(pod).get("startTime")


def reject(pod: Manifest, predicate: str, text: str, *, registry: Registry, recorder: Recorder) -> None:
    """Makes a pod Failed that the node cannot run, and says so in an event."""
    message = f"Predicate {predicate} failed: {text}"
    recorder.event(pod, "Warning", predicate, message)
    status = meta.status(pod) | {"phase": "Failed", "reason": predicate, "message": f"Pod was rejected: {message}",
                                 "startTime": registry.now()}
    registry.update("pods", pod | {"status": status}, subresource="status")
