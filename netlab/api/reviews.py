"""Who am I, may I: a lab has one user, who may do everything."""

from __future__ import annotations

from netlab.api.discovery import REVIEWS
from netlab.api.request import Request
from netlab.api.response import Response, json_response
from netlab.api.routes import no_such_method
from netlab.model.errors import bad_request

USER = {"username": "kubernetes-admin", "groups": ["system:masters", "system:authenticated"]}
_STATUS: dict[str, dict[str, object]] = {
    "selfsubjectaccessreviews": {"allowed": True, "reason": ""},
    "selfsubjectrulesreviews": {
        "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}], "incomplete": False},
    "selfsubjectreviews": {"userInfo": USER}}
_GROUPS = {"authorization.k8s.io": ("v1",), "authentication.k8s.io": ("v1", "v1beta1")}


def respond(request: Request) -> Response | None:
    """The answer to a review, None for any other path."""
    parts = request.path.strip("/").split("/")
    if len(parts) != 4 or parts[0] != "apis" or parts[2] not in _GROUPS.get(parts[1], ()) or parts[3] not in REVIEWS:
        return None
    if request.method != "POST":
        raise no_such_method()
    body = request.json()
    if not isinstance(body, dict):
        raise bad_request(f"{REVIEWS[parts[3]]}: the body is no object")
    return json_response({"kind": REVIEWS[parts[3]], "apiVersion": f"{parts[1]}/{parts[2]}", "metadata": {}}
                         | body | {"status": _STATUS[parts[3]]}, 201)
