"""The roles and bindings that a new cluster starts with (plugin/pkg/auth/authorizer/rbac/bootstrappolicy)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from netlab.api.rbac import GROUP
from netlab.api.users import AUTHENTICATED, MASTERS, UNAUTHENTICATED
from netlab.model.meta import Manifest

_LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_READ = ["get", "list", "watch"]
_WRITE = ["create", "delete", "deletecollection", "patch", "update"]
_DISCOVERY = ["/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz",
              "/version", "/version/"]
_PUBLIC = ["/healthz", "/livez", "/readyz", "/version", "/version/"]
_WORK = {"": ["configmaps", "endpoints", "pods", "replicationcontrollers", "replicationcontrollers/scale", "services",
              "serviceaccounts"],
         "apps": ["deployments", "deployments/scale", "replicasets", "replicasets/scale", "statefulsets",
                  "statefulsets/scale", "daemonsets"],
         "batch": ["jobs", "cronjobs"],
         "networking.k8s.io": ["ingresses", "networkpolicies"]}
_SEEN = {"": ["events", "limitranges", "namespaces", "pods/log", "pods/status", "replicationcontrollers/status",
              "resourcequotas"],
         "apps": ["controllerrevisions", *(f"{name}/status" for name in _WORK["apps"] if "/" not in name)],
         "batch": ["jobs/status", "cronjobs/status"],
         "discovery.k8s.io": ["endpointslices"]}
_EDITED: dict[str, list[str]] = {"": ["pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "pods/eviction",
                                      "secrets", "serviceaccounts/token", "services/proxy"],
                                 "coordination.k8s.io": ["leases"]}


def _rules(verbs: list[str], resources: dict[str, list[str]]) -> list[dict[str, Any]]:
    return [{"apiGroups": [group], "resources": names, "verbs": verbs} for group, names in resources.items()]


def roles() -> Iterator[tuple[str, Manifest]]:
    """Resource and manifest of each."""
    every = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    view = _rules(_READ, _WORK) + _rules(_READ, _SEEN)
    edit = view + _rules(_WRITE, _WORK) + _rules(_READ + _WRITE, _EDITED) + [
        {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["impersonate"]}]
    admin = edit + _rules(_READ + _WRITE, {GROUP: ["roles", "rolebindings"]}) + _rules(
        ["create"], {"authorization.k8s.io": ["localsubjectaccessreviews"]})
    found = {
        "cluster-admin": [every, {"nonResourceURLs": ["*"], "verbs": ["*"]}],
        "admin": admin, "edit": edit, "view": view,
        "system:discovery": [{"nonResourceURLs": _DISCOVERY, "verbs": ["get"]}],
        "system:public-info-viewer": [{"nonResourceURLs": _PUBLIC, "verbs": ["get"]}],
        "system:basic-user": [
            {"apiGroups": ["authorization.k8s.io"], "verbs": ["create"],
             "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"]},
            {"apiGroups": ["authentication.k8s.io"], "verbs": ["create"], "resources": ["selfsubjectreviews"]}],
        "system:coredns": _rules(["list", "watch"], {"": ["endpoints", "services", "pods", "namespaces"],
                                                     "discovery.k8s.io": ["endpointslices"]})}
    for name, rules in found.items():
        role: Manifest = {"metadata": {"name": name, "labels": _LABELS}, "rules": rules}
        if name in ("admin", "edit", "view"):
            label = f"rbac.authorization.k8s.io/aggregate-to-{name}"
            role["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": {label: "true"}}]}
        yield "clusterroles", role
    for name, groups in (("cluster-admin", [MASTERS]), ("system:discovery", [AUTHENTICATED]),
                         ("system:public-info-viewer", [AUTHENTICATED, UNAUTHENTICATED]),
                         ("system:basic-user", [AUTHENTICATED])):
        yield _binding(name, *({"kind": "Group", "name": group} for group in groups))
    yield _binding("system:coredns", {"kind": "ServiceAccount", "name": "coredns", "namespace": "kube-system"})


def _binding(role: str, *subjects: dict[str, str]) -> tuple[str, Manifest]:
    return "clusterrolebindings", {"metadata": {"name": role, "labels": _LABELS}, "subjects": list(subjects),
                                   "roleRef": {"kind": "ClusterRole", "name": role}}
