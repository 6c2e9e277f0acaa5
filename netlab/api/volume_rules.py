"""What is wrong with a pod's volumes (k8s.io/kubernetes/pkg/apis/core/validation)."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Any

from netlab.api.container_rules import name_errors
from netlab.model.errors import FieldError, forbidden, invalid, required

# In the order in which upstream looks at them: what comes after the first is one too many.
_ORDER = ("emptyDir", "hostPath", "gitRepo", "gcePersistentDisk", "awsElasticBlockStore", "secret", "nfs", "iscsi",
          "glusterfs", "flocker", "persistentVolumeClaim", "rbd", "cinder", "cephfs", "quobyte", "downwardAPI", "fc",
          "flexVolume", "configMap", "azureFile", "vsphereVolume", "photonPersistentDisk", "portworxVolume",
          "azureDisk", "storageos", "projected", "scaleIO", "csi", "ephemeral", "image")
_NEEDED = {"hostPath": "path", "secret": "secretName", "configMap": "name", "persistentVolumeClaim": "claimName"}


def volume_errors(volume: dict[str, Any], path: str, taken: set[str]) -> Iterator[FieldError]:
    """Everything wrong with one volume; its name is added to those `taken`."""
    yield from name_errors(volume.get("name", ""), f"{path}.name", taken)
    sources = sorted(volume.keys() - {"name"}, key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))
    for source in sources[:1]:
        given, needed = volume[source], _NEEDED.get(source)
        if not isinstance(given, dict):
            continue
        if needed and not given.get(needed):
            yield required(f"{path}.{source}.{needed}")
        for index, item in enumerate(given.get("items") or () if source in ("configMap", "secret") else ()):
            yield from _item_errors(item, f"{path}.{source}.items[{index}]")
    for source in sources[1:]:
        yield forbidden(f"{path}.{source}", "may not specify more than 1 volume type")


def _item_errors(item: dict[str, Any], path: str) -> Iterator[FieldError]:
    place = item.get("path") or ""
    if not item.get("key"):
        yield required(f"{path}.key")
    if not place:
        yield required(f"{path}.path")
    if posixpath.isabs(place):
        yield invalid(f"{path}.path", place, "must be a relative path")
    if ".." in place.split("/"):
        yield invalid(f"{path}.path", place, "must not contain '..'")
