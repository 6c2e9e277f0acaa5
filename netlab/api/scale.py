"""The scale subresource: an autoscaling/v1 Scale in place of an object with replicas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netlab.api.columns import label_selector
from netlab.api.decode import decode
from netlab.api.managed_fields import Track
from netlab.model import meta
from netlab.model.errors import invalid, invalid_object
from netlab.model.meta import Manifest

if TYPE_CHECKING:
    from netlab.api.registry import Registry


def from_manifest(manifest: Manifest) -> Manifest:
    """The Scale of an object with replicas."""
    data = meta.metadata(manifest)
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {"kind": "Scale", "apiVersion": "autoscaling/v1",
            "metadata": {key: data[key] for key in kept if key in data},
            "spec": {"replicas": meta.spec(manifest).get("replicas", 0)},
            "status": {"replicas": meta.status(manifest).get("replicas", 0),
                       "selector": label_selector(meta.spec(manifest).get("selector"))}}


def update(registry: Registry, resource: str, scale: Manifest, *, dry_run: bool,
           track: Track | None = None) -> Manifest:
    """Writes spec.replicas of the Scale into its object; gives the new Scale."""
    scale = decode(scale, "Scale", "autoscaling/v1")
    replicas = meta.spec(scale).get("replicas", 0)
    if replicas < 0:
        raise invalid_object("Scale", meta.name(scale), [
            invalid("spec.replicas", replicas, "must be greater than or equal to 0")], "autoscaling")
    old = registry.get(resource, meta.name(scale), meta.namespace(scale))
    version = meta.metadata(scale).get("resourceVersion") or old["metadata"]["resourceVersion"]
    new = old | {"metadata": {**old["metadata"], "resourceVersion": version},
                 "spec": {**meta.spec(old), "replicas": replicas}}
    return from_manifest(registry.update(resource, new, dry_run=dry_run, track=track))
