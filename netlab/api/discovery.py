"""What the server serves, as kubectl asks for it: groups, resources, version."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from netlab.api.request import Request
from netlab.api.resource import VERBS, Resource
from netlab.api.response import Response, dump, json_response
from netlab.api.served import Served

VERSION = {"major": "1", "minor": "33", "gitVersion": "v1.33.0", "gitCommit": "0", "gitTreeState": "clean",
           "buildDate": "2025-04-23T00:00:00Z", "goVersion": "go1.24", "compiler": "gc", "platform": "linux/amd64"}
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList"

_SCALE = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
_SUBRESOURCES: dict[str, tuple[dict[str, str], list[str]]] = {
    "status": ({}, ["get", "patch", "update"]), "approval": ({}, ["get", "patch", "update"]),
    "scale": (_SCALE, ["get", "patch", "update"]),
    "finalize": ({}, ["update"]), "log": ({}, ["get"]), "ephemeralcontainers": ({}, ["get", "patch", "update"]),
    "exec": ({"kind": "PodExecOptions"}, ["create", "get"]),
    "attach": ({"kind": "PodAttachOptions"}, ["create", "get"]),
    "portforward": ({"kind": "PodPortForwardOptions"}, ["create", "get"]),
    "proxy": ({}, ["create", "delete", "get", "patch", "update"]), "binding": ({"kind": "Binding"}, ["create"]),
    "token": ({"group": "authentication.k8s.io", "version": "v1", "kind": "TokenRequest"}, ["create"]),
    "eviction": ({"group": "policy", "version": "v1", "kind": "Eviction"}, ["create"])}
REVIEW_GROUPS = {"authorization.k8s.io": ("localsubjectaccessreviews", "selfsubjectaccessreviews",
                                          "selfsubjectrulesreviews", "subjectaccessreviews"),
                 "authentication.k8s.io": ("selfsubjectreviews", "tokenreviews")}
REVIEWS = {"localsubjectaccessreviews": "LocalSubjectAccessReview",
           "selfsubjectaccessreviews": "SelfSubjectAccessReview", "selfsubjectrulesreviews": "SelfSubjectRulesReview",
           "subjectaccessreviews": "SubjectAccessReview", "selfsubjectreviews": "SelfSubjectReview",
           "tokenreviews": "TokenReview"}
LOCAL = "localsubjectaccessreviews"


@lru_cache(maxsize=4)
def groups(served: Served) -> tuple[str, ...]:
    """The groups besides the core one, in the order in which ambiguous names are looked up."""
    return tuple(dict.fromkeys([*served.groups(), *REVIEW_GROUPS]))


@lru_cache(maxsize=500)
def versions(served: Served, group: str) -> tuple[str, ...]:
    """The versions of a group, the preferred one first."""
    return tuple(served.versions(group)) or (("v1",) if group in REVIEW_GROUPS else ())


def respond(request: Request, served: Served) -> Response | None:
    """The answer to a discovery request, None for any other path."""
    path = request.path
    if path == "/version":
        return json_response(VERSION)
    version = _aggregated_version(request.headers.get("accept", ""))
    if path in ("/api", "/apis") and version:
        document = _aggregated(served, ("",) if path == "/api" else groups(served), version)
        return Response(200, dump(document), AGGREGATED.format(version))
    if path == "/":
        return json_response({"paths": ["/api", "/api/v1", "/apis", *(
            f"/apis/{group}/{version}" for group in groups(served) for version in versions(served, group)),
                                        "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"]})
    if path == "/api":
        return json_response({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})
    if path == "/apis":
        return json_response({"kind": "APIGroupList", "apiVersion": "v1",
                              "groups": [_group(served, group) for group in groups(served)]})
    if path == "/api/v1":
        return json_response(_resource_list(served, "", "v1"))
    for group in groups(served):
        if path == f"/apis/{group}":
            return json_response({"kind": "APIGroup", "apiVersion": "v1"} | _group(served, group))
        for name in versions(served, group):
            if path == f"/apis/{group}/{name}":
                return json_response(_resource_list(served, group, name))
    return None


def subresource(kind: Resource, name: str) -> tuple[dict[str, str], list[str]]:
    """What a subresource has instead of the kind's own group, version and kind, and its verbs."""
    extra, verbs = _SUBRESOURCES[name]
    return ({"kind": f"{kind.kind}ProxyOptions"} if name == "proxy" else extra), verbs


def _aggregated_version(accept: str) -> str:
    for wanted in accept.split(","):
        if "as=APIGroupDiscoveryList" in wanted:
            for version in ("v2", "v2beta1"):
                if f"v={version}" in [part.strip() for part in wanted.split(";")]:
                    return version
    return ""


def _group(served: Served, name: str) -> dict[str, Any]:
    found = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions(served, name)]
    return {"name": name, "versions": found, "preferredVersion": found[0]}


def _resource_list(served: Served, group: str, version: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = []
    for kind in served.kinds(group, version):
        found.append({"name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced,
                      "kind": kind.kind, "verbs": list(VERBS), "shortNames": list(kind.short_names),
                      "categories": list(kind.categories)})
        for name in kind.subresources:
            extra, verbs = subresource(kind, name)
            found.append({"name": f"{kind.plural}/{name}", "singularName": "", "namespaced": kind.namespaced,
                          "kind": kind.kind, "verbs": verbs} | extra)
    found += [{"name": name, "singularName": REVIEWS[name].lower(), "namespaced": name == LOCAL, "kind": REVIEWS[name],
               "verbs": ["create"]} for name in REVIEW_GROUPS.get(group, ())]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{group}/{version}" if group else version,
            "resources": found}


def _aggregated(served: Served, names: tuple[str, ...], version: str) -> dict[str, Any]:
    items = []
    for group in names:
        found = []
        for name in versions(served, group):
            resources = [_aggregated_resource(kind) for kind in served.kinds(group, name)]
            resources += [{"resource": review, "responseKind": {"group": group, "version": "v1",
                                                                "kind": REVIEWS[review]},
                           "scope": "Namespaced" if review == LOCAL else "Cluster",
                           "singularResource": REVIEWS[review].lower(), "verbs": ["create"]}
                          for review in REVIEW_GROUPS.get(group, ())]
            found.append({"version": name, "freshness": "Current", "resources": resources})
        items.append({"metadata": {"name": group} if group else {}, "versions": found})
    return {"kind": "APIGroupDiscoveryList", "apiVersion": f"apidiscovery.k8s.io/{version}", "metadata": {},
            "items": items}


def _aggregated_resource(kind: Resource) -> dict[str, Any]:
    own = {"group": kind.group, "version": kind.version, "kind": kind.kind}
    return {"resource": kind.plural, "responseKind": own, "scope": "Namespaced" if kind.namespaced else "Cluster",
            "singularResource": kind.singular, "verbs": list(VERBS), "shortNames": list(kind.short_names),
            "categories": list(kind.categories),
            "subresources": [{"subresource": name, "responseKind": own | subresource(kind, name)[0],
                              "verbs": subresource(kind, name)[1]} for name in kind.subresources]}
