"""Who am I, may I, whose token is this: questions that are asked by POST and stored nowhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from netlab.api import rbac
from netlab.api.attributes import Attributes
from netlab.api.decode import decode
from netlab.api.discovery import REVIEWS
from netlab.api.registry import Registry
from netlab.api.request import Request
from netlab.api.response import Response, json_response
from netlab.api.routes import no_such_method
from netlab.api.users import ADMIN, User
from netlab.model.errors import bad_request, invalid, invalid_object
from netlab.model.meta import Manifest

_GROUPS = {"authorization.k8s.io": ("v1",), "authentication.k8s.io": ("v1", "v1beta1")}


def respond(request: Request, registry: Registry) -> Response | None:
    """The answer to a review, None for any other path."""
    parts = request.path.strip("/").split("/")
    space = ""
    if len(parts) == 6 and parts[3] == "namespaces":
        space, parts = parts[4], [*parts[:3], parts[5]]
    if len(parts) != 4 or parts[0] != "apis" or parts[2] not in _GROUPS.get(parts[1], ()) or parts[3] not in REVIEWS \
            or bool(space) != (parts[3] == "localsubjectaccessreviews"):
        return None
    if request.method != "POST":
        raise no_such_method()
    kind = REVIEWS[parts[3]]
    version = f"{parts[1]}/{parts[2]}"
    body = decode(request.json(), kind, version)
    if space and _attributes(body).namespace != space:
        raise invalid_object(kind, "", [invalid("spec.resourceAttributes.namespace", _attributes(body).namespace,
                                                f"must match metadata.namespace ({space})")], parts[1])
    answer = {"kind": kind, "apiVersion": version, "metadata": {}} | body
    return json_response(answer | {"status": _ANSWERS[kind](request, registry, body)}, 201)


def _own_access(request: Request, registry: Registry, body: Manifest) -> dict[str, Any]:
    return _decision(registry, request.user, _attributes(body))


def _access(request: Request, registry: Registry, body: Manifest) -> dict[str, Any]:
    spec = body.get("spec") or {}
    if not spec.get("user") and not spec.get("groups"):
        raise invalid_object(body.get("kind", "SubjectAccessReview"), "", [invalid(
            "spec.user", "", "at least one of user or group must be specified")], "authorization.k8s.io")
    user = User(spec.get("user", ""), tuple(spec.get("groups") or ()), spec.get("uid", ""))
    return _decision(registry, user, _attributes(body))


def _decision(registry: Registry, user: User, wanted: Attributes) -> dict[str, Any]:
    allowed, reason = rbac.decide(registry, user, wanted)
    return {"allowed": allowed} | ({"reason": reason} if reason else {})


def _attributes(body: Manifest) -> Attributes:
    spec = body.get("spec") or {}
    resource, other = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if (resource is None) == (other is None):
        raise invalid_object(body.get("kind") or "SelfSubjectAccessReview", "", [invalid(
            "spec.resourceAttributes", resource,
            "exactly one of nonResourceAttributes or resourceAttributes must be specified")], "authorization.k8s.io")
    if resource is None:
        return Attributes((other or {}).get("verb", ""), path=(other or {}).get("path") or "/")
    fields = ("verb", "group", "resource", "subresource", "namespace", "name")
    return Attributes(**{field: resource.get(field, "") for field in fields})


def _own_rules(request: Request, registry: Registry, body: Manifest) -> dict[str, Any]:
    space = (body.get("spec") or {}).get("namespace", "")
    if not space:
        raise bad_request("no namespace on request")
    rules = rbac.rules_of(registry, request.user, space)
    if request.user.is_master:
        rules = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}, {"verbs": ["*"], "nonResourceURLs": ["*"]},
                 *rules]
    chosen: dict[str, list[dict[str, Any]]] = {"resourceRules": [], "nonResourceRules": []}
    for rule in rules:
        found = chosen["nonResourceRules" if rule.get("nonResourceURLs") else "resourceRules"]
        if rule not in found:
            found.append(rule)
    return {**chosen, "incomplete": False}


def _own_name(request: Request, registry: Registry, body: Manifest) -> dict[str, Any]:
    return {"userInfo": request.user.info()}


def _token(request: Request, registry: Registry, body: Manifest) -> dict[str, Any]:
    spec = body.get("spec") or {}
    if not spec.get("token"):
        raise bad_request("token is required for TokenReview in authentication")
    issuer, audiences = registry.issuer, tuple(spec.get("audiences") or ())
    if issuer is None:
        raise bad_request("this server gives no tokens")
    if issuer.is_admin(spec["token"]) and (not audiences or issuer.name in audiences):
        user: User | None = ADMIN
    else:
        user = issuer.user(spec["token"], registry, now=registry.clock().timestamp(), audiences=audiences)
    if user is None:
        return {"user": {}, "error": "[invalid bearer token]"}
    return {"authenticated": True, "user": user.info(), "audiences": list(audiences or (issuer.name,))}


_ANSWERS: dict[str, Callable[[Request, Registry, Manifest], dict[str, Any]]] = {
    "SelfSubjectAccessReview": _own_access, "SubjectAccessReview": _access, "LocalSubjectAccessReview": _access,
    "SelfSubjectRulesReview": _own_rules, "SelfSubjectReview": _own_name, "TokenReview": _token}
