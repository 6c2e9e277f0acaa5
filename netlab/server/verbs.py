"""What kubectl's apply, delete, label and scale do between a manifest and the API."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Mapping
from typing import Any

from netlab.model import meta
from netlab.model.errors import ApiError, LabError
from netlab.model.meta import Manifest
from netlab.server.client import MERGE_PATCH, STRATEGIC_PATCH, ApiClient
from netlab.server.kinds import Kind

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
RETRIES = 5  # on a conflict, as kubectl


def find(api: ApiClient, kind: Kind, name: str, *, namespace: str) -> Manifest | None:
    """The object, or None."""
    try:
        return api.get(kind.path(namespace, name))
    except ApiError as error:
        if error.code == 404:
            return None
        raise


def with_last_applied(manifest: Manifest) -> Manifest:
    """A copy that carries itself in the annotation by which a later apply knows what to remove."""
    copied = copy.deepcopy(manifest)
    (copied["metadata"].get("annotations") or {}).pop(LAST_APPLIED, None)
    copied["metadata"].setdefault("annotations", {})
    if copied["metadata"]["annotations"] is None:
        copied["metadata"]["annotations"] = {}
    text = json.dumps(copied, separators=(",", ":"), sort_keys=True, ensure_ascii=False) + "\n"
    copied["metadata"]["annotations"][LAST_APPLIED] = text
    return copied


def apply(api: ApiClient, kind: Kind, manifest: Manifest, *, namespace: str, dry_run: bool = False) -> str:
    """Creates the object or patches it (client-side apply): "created", "configured" or "unchanged"."""
    name = meta.name(manifest)
    modified = with_last_applied(manifest)
    query = "?fieldManager=kubectl-client-side-apply&fieldValidation=Strict" + ("&dryRun=All" if dry_run else "")
    for attempt in range(1, RETRIES + 1):
        live = find(api, kind, name, namespace=namespace)
        try:
            if live is None:
                api.json("POST", kind.path(namespace) + query, modified)
                return "created"
            patch, patch_type = _patch(kind, modified, live)
            if not patch:
                return "unchanged"
            api.json("PATCH", kind.path(namespace, name) + query, patch, content_type=patch_type)
            return "configured"
        except ApiError as error:
            if error.code != 409 or attempt == RETRIES or (live is None and dry_run):
                raise
    raise AssertionError("unreachable")


def _patch(kind: Kind, modified: Manifest, live: Manifest) -> tuple[dict[str, Any], str]:
    """The patch and its type: of custom kinds nobody here knows how lists are merged."""
    from netlab.api.apply import three_way_patch
    from netlab.api.shapes import OBJECT, of_identity

    custom = not of_identity(kind.group, kind.version, kind.kind)
    text = meta.annotations(live).get(LAST_APPLIED)
    patch = three_way_patch(json.loads(text) if text else {}, modified, live, shape=OBJECT if custom else None)
    return dict(patch or {}), MERGE_PATCH if custom else STRATEGIC_PATCH


def delete(api: ApiClient, kind: Kind, name: str, *, namespace: str, grace_period: int | None = None) -> str:
    """Deletes one object; gives the uid that it had. ApiError 404 when there is none."""
    options: dict[str, Any] = {"propagationPolicy": "Background"}
    if grace_period is not None:
        options["gracePeriodSeconds"] = grace_period
    answer = api.json("DELETE", kind.path(namespace, name), options)
    return str((answer.get("details") or {}).get("uid") or meta.uid(answer))


def wait_gone(api: ApiClient, kind: Kind, name: str, *, namespace: str, uid: str = "", limit: float = 60.0) -> None:
    """Waits until the object (with that uid) is gone; LabError (exit code 124) after `limit` seconds."""
    end = time.monotonic() + limit
    pause = 0.01
    while (live := find(api, kind, name, namespace=namespace)) is not None and uid in ("", meta.uid(live)):
        if time.monotonic() > end:
            raise LabError(f"{kind.shown}/{name} is still there after {limit:g} s", exit_code=124,
                           hint=f"netlab get {kind.plural} {name} -n {namespace} -o yaml")
        time.sleep(pause)
        pause = min(0.2, pause * 1.5)


def label(api: ApiClient, kind: Kind, name: str, changes: Mapping[str, str | None], *, namespace: str) -> Manifest:
    """Sets labels, and removes those whose value is None; gives the object."""
    answer: Manifest = api.json("PATCH", kind.path(namespace, name) + "?fieldManager=kubectl-label",
                                {"metadata": {"labels": dict(changes)}}, content_type=MERGE_PATCH)
    return answer


def scale(api: ApiClient, kind: Kind, name: str, replicas: int, *, namespace: str) -> None:
    """Sets spec.replicas by the scale subresource. LabError when the kind has none."""
    if "scale" not in kind.subresources:
        raise LabError(f"{kind.plural} cannot be scaled: that needs a Deployment, ReplicaSet or StatefulSet")
    api.json("PATCH", kind.path(namespace, name, "scale") + "?fieldManager=kubectl-scale",
             {"spec": {"replicas": replicas}}, content_type=MERGE_PATCH)
