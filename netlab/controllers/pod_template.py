"""Pod templates as Deployments compare and name them."""

from __future__ import annotations

import copy
import json
from typing import Any

from netlab.model import meta
from netlab.model.meta import Manifest

HASH = "pod-template-hash"
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def template_hash(template: dict[str, Any], collisions: int = 0) -> str:
    """The pod-template-hash of a template: FNV-1a, 32 bit, of its JSON, in decimal, safely spelled.

    `collisions` (status.collisionCount) gives another one where a ReplicaSet of that name is taken. Upstream hashes
    a dump of its own structures instead of JSON; so the spelling is the same and the number is not.
    """
    data = json.dumps(without_hash(template), sort_keys=True, separators=(",", ":")).encode()
    value = 0x811C9DC5
    for byte in data + (collisions.to_bytes(8, "little") if collisions else b""):
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return safe(str(value))


def safe(text: str) -> str:
    """The text with each character mapped to one with which no bad word can be spelled (k8s.io/apimachinery rand)."""
    return "".join(_ALPHABET[ord(character) % len(_ALPHABET)] for character in text)


def without_hash(template: dict[str, Any]) -> dict[str, Any]:
    """The template without the label that Deployments add to it."""
    data = template.get("metadata") or {}
    labels = {key: value for key, value in (data.get("labels") or {}).items() if key != HASH}
    kept = {key: value for key, value in data.items() if value and key not in ("labels", "creationTimestamp")}
    return {**template, "metadata": kept | ({"labels": labels} if labels else {})}


def with_hash(template: dict[str, Any], value: str) -> dict[str, Any]:
    """A copy of the template with the label."""
    new = copy.deepcopy(template)
    data = new.setdefault("metadata", {})
    data["labels"] = {**meta.labels(new), HASH: value}
    return new


def pod_from_template(owner: Manifest, template: dict[str, Any] | None = None) -> Manifest:
    """A pod as the owner's template (or another one) says, owned by it; the API gives the rest of its name."""
    template = copy.deepcopy((meta.spec(owner).get("template") if template is None else template) or {})
    given = template.get("metadata") or {}
    data = {key: given[key] for key in ("labels", "annotations", "finalizers") if given.get(key)}
    return {"apiVersion": "v1", "kind": "Pod", "spec": template.get("spec") or {}, "metadata": data | {
        "generateName": f"{meta.name(owner)}-", "namespace": meta.namespace(owner),
        "ownerReferences": [meta.owner_reference(owner)]}}
