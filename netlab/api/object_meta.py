"""The part of an object's metadata that the server writes: identity, name, what an update carries over."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from typing import Any

from netlab.api.resource import Resource
from netlab.model import meta
from netlab.model.errors import conflict
from netlab.model.meta import Manifest

SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
KEPT = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "resourceVersion",
        "managedFields")
SERVER_OWNED = (*KEPT, "selfLink")
COLLECTIONS = ("labels", "annotations", "ownerReferences", "finalizers")  # absent when they are empty
NAME_TRIES = 8


def begin(kind: Resource, data: dict[str, Any], *, now: str, taken: Callable[[str], bool]) -> None:
    """Makes the metadata of a new object, in place. `taken` says whether a generated name is in use."""
    base = data.get("generateName")
    for _ in range(NAME_TRIES):
        if data.get("name") or not base:
            break
        name = base[:58] + "".join(secrets.choice(SUFFIX_ALPHABET) for _ in range(5))
        if not taken(name):
            data["name"] = name
    data |= {"uid": str(uuid.uuid4()), "creationTimestamp": now}
    if kind.generations:
        data["generation"] = 1


def strip(data: dict[str, Any]) -> None:
    """Takes out what a client cannot set, and empty collections."""
    for field in SERVER_OWNED:
        data.pop(field, None)
    for field in COLLECTIONS:
        if not data.get(field):
            data.pop(field, None)


def carry_over(data: dict[str, Any], old: Manifest) -> None:
    """Makes the metadata of an updated object, in place: what the server owns is as it was."""
    strip(data)
    data |= {field: old["metadata"][field] for field in KEPT if field in old["metadata"]}


def check_identity(kind: Resource, new: Manifest, old: Manifest) -> None:
    """ApiError 409 when a resourceVersion or uid is given and is not the present one."""
    given, present = meta.metadata(new), meta.metadata(old)
    version = given.get("resourceVersion")
    if version not in (None, "", "0", present["resourceVersion"]):
        raise conflict(kind.plural, present["name"], kind.group)
    if given.get("uid") not in (None, "", present["uid"]):
        raise conflict(kind.plural, present["name"], kind.group, f"Precondition failed: UID in precondition: "
                       f"{given['uid']}, UID in object meta: {present['uid']}")
