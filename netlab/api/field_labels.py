"""Which fields of a kind a field selector may name."""

from __future__ import annotations

from netlab.api.resource import Resource
from netlab.model.errors import bad_request
from netlab.model.selectors import FieldSelector

_ALWAYS = ("metadata.name", "metadata.namespace")
_ABOUT = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
# What upstream's conversion functions (pkg/apis/*/v1/conversion.go) know beyond name and namespace.
_MORE = {
    "pods": ("spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
             "spec.hostNetwork", "status.phase", "status.podIP", "status.podIPs", "status.nominatedNodeName"),
    "events": (*(f"involvedObject.{field}" for field in _ABOUT), "reason", "reportingComponent", "source", "type"),
    "nodes": ("spec.unschedulable",),
    "namespaces": ("status.phase",),
    "secrets": ("type",),
    "services": ("spec.clusterIP", "spec.type"),
    "replicasets": ("status.replicas",),
    "replicationcontrollers": ("status.replicas",),
}


def check(kind: Resource, fields: FieldSelector) -> None:
    """ApiError 400 in upstream's words if the kind's objects cannot be chosen by one of the fields."""
    known = kind.selectable if kind.custom else _MORE.get(kind.plural)
    # Where upstream has no conversion of its own, any kind may be asked for a namespace, as in those of a cluster.
    always = _ALWAYS if kind.namespaced or known is None else _ALWAYS[:1]
    for path, _, _ in fields.terms:
        if path in always or path in (known or ()):
            continue
        if known is not None:
            raise bad_request(f"field label not supported: {path}")
        raise bad_request(f'"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"')
