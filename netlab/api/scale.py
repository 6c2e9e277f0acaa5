"""The scale subresource: an autoscaling/v1 Scale in place of an object with replicas."""

from __future__ import annotations

from netlab.api import json_path
from netlab.api.columns import label_selector
from netlab.api.decode import copy, decode
from netlab.api.field_set import Track
from netlab.api.resource import Objects, Resource
from netlab.model import meta
from netlab.model.errors import internal_error, invalid, invalid_object
from netlab.model.meta import Manifest
from netlab.model.selectors import of_owner


def from_manifest(kind: Resource, manifest: Manifest) -> Manifest:
    """The Scale of an object with replicas. ApiError 500 when its kind says of a field that there is none."""
    paths = kind.scale_paths
    replicas = json_path.first(paths.replicas, manifest)
    if replicas is None and kind.custom:
        raise internal_error(f'the spec replicas field "{paths.replicas}" does not exist')
    selector = json_path.first(paths.selector, manifest) if kind.custom and paths.selector else \
        None if kind.custom else label_selector(of_owner(manifest))
    data = meta.metadata(manifest)
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {"kind": "Scale", "apiVersion": "autoscaling/v1",
            "metadata": {key: data[key] for key in kept if key in data},
            "spec": {"replicas": replicas or 0},
            "status": {"replicas": json_path.first(paths.status_replicas, manifest) or 0,
                       **({"selector": selector} if selector else {})}}


def update(registry: Objects, resource: str, scale: Manifest, *, dry_run: bool,
           track: Track | None = None) -> Manifest:
    """Writes spec.replicas of the Scale into its object; gives the new Scale."""
    scale = decode(scale, "Scale", "autoscaling/v1")
    replicas = meta.spec(scale).get("replicas", 0)
    if replicas < 0:
        raise invalid_object("Scale", meta.name(scale), [
            invalid("spec.replicas", replicas, "must be greater than or equal to 0")], "autoscaling")
    kind = registry.resource(resource)
    old = registry.get(resource, meta.name(scale), meta.namespace(scale))
    version = meta.metadata(scale).get("resourceVersion") or old["metadata"]["resourceVersion"]
    new: Manifest = copy(old)
    new["metadata"]["resourceVersion"] = version
    json_path.put(kind.scale_paths.replicas, new, replicas)
    return from_manifest(kind, registry.update(resource, new, dry_run=dry_run, track=track))
