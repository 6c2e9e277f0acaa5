"""Which fields of a kind a field selector may name, and where they stand in the object."""

from __future__ import annotations

from netlab.api.resource import Resource
from netlab.model.errors import bad_request
from netlab.model.selectors import FieldSelector, FieldTerm

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
    "jobs": ("status.successful",),
    "certificatesigningrequests": ("spec.signerName",),
}
_PATHS = {("events", "source"): "source.component", ("jobs", "status.successful"): "status.succeeded"}
_ABSENT = {"spec.unschedulable": "false", "spec.hostNetwork": "false", "status.replicas": "0",
           "status.successful": "0"}  # the values that Go's zero values print


def resolve(kind: Resource, fields: FieldSelector) -> FieldSelector:
    """The selector on the object's own fields. ApiError 400 in upstream's words if it names one that is not known."""
    return FieldSelector(tuple(_resolved(kind, term) for term in fields.terms))


def _resolved(kind: Resource, term: FieldTerm) -> FieldTerm:
    known = kind.selectable if kind.custom else _MORE.get(kind.plural)
    # Where upstream has no conversion of its own, objects of a cluster may be asked for a namespace, too.
    if term.path in (_ALWAYS if kind.namespaced or known is None else _ALWAYS[:1]):
        return term
    if term.path in (known or ()):
        if kind.custom:
            return term
        return term._replace(path=_PATHS.get((kind.plural, term.path), term.path), absent=_ABSENT.get(term.path, ""))
    if kind.key == "jobs":
        raise bad_request(f'field label "{term.path}" not supported for Job')
    if known is not None:
        raise bad_request(f"field label not supported: {term.path}")
    raise bad_request(f'"{term.path}" is not a known field selector: only "metadata.name", "metadata.namespace"')
