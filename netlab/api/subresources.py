"""Updates of subresources: what of an object each of them may write."""

from __future__ import annotations

from netlab.api import certificates
from netlab.api.decode import copy
from netlab.api.resource import Resource
from netlab.model import meta
from netlab.model.errors import invalid_object, not_found
from netlab.model.meta import Manifest


def merged(kind: Resource, new: Manifest, old: Manifest, subresource: str, *, now: str) -> Manifest:
    """The old object with what the subresource takes from the new one; `now` is the moment of an approval.

    ApiError 404 when the kind has no such subresource, 422 when a status breaks rules.
    """
    result: Manifest = copy(old)
    if subresource == "status":
        result["status"] = new.get("status") or {}
        kind.default(result)
        _check_status(kind, result, old)
    elif subresource == "finalize":
        result["spec"] = {**meta.spec(old), "finalizers": meta.spec(new).get("finalizers") or []}
    elif subresource == "approval":
        result["status"] = certificates.approved(meta.status(old), meta.status(new), now=now)
        _check_status(kind, result, old)
    elif subresource == "ephemeralcontainers":
        result["spec"]["ephemeralContainers"] = meta.spec(new).get("ephemeralContainers") or []
    else:
        raise not_found(f"{kind.plural}/{subresource}", meta.name(old), kind.group)
    return result


def _check_status(kind: Resource, new: Manifest, old: Manifest) -> None:
    errors = kind.validate_status(new, old)
    if errors:
        raise invalid_object(kind.kind, meta.name(old), errors, kind.group)
