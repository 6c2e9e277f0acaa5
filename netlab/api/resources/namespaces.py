"""Namespaces: what holds everything else apart."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from netlab.api.columns import age
from netlab.api.resource import Column, Objects, Resource
from netlab.model import meta, names
from netlab.model.meta import Manifest

SYSTEM = ("default", "kube-system", "kube-public", "kube-node-lease")
PROTECTED = SYSTEM[:3]  # may not be deleted
NAME_LABEL = "kubernetes.io/metadata.name"


def _default(manifest: Manifest) -> None:
    if meta.name(manifest):
        manifest["metadata"].setdefault("labels", {})[NAME_LABEL] = meta.name(manifest)


def _prepare(registry: Objects, new: Manifest, old: Manifest | None) -> None:
    if old is None:
        new["spec"] = {**meta.spec(new), "finalizers": ["kubernetes"]}
        new["status"] = {"phase": "Active"}
    else:
        new["spec"] = {**meta.spec(new), "finalizers": meta.spec(old).get("finalizers", [])}


def _row(manifest: Manifest, now: datetime) -> list[Any]:
    return [meta.name(manifest), meta.status(manifest).get("phase", ""), age(manifest, now)]


NAMESPACES = Resource(
    "namespaces", "Namespace", namespaced=False, short_names=("ns",), subresources=("status", "finalize"),
    name_problems=names.dns_label, default=_default, prepare=_prepare,
    columns=(Column("Name"), Column("Status"), Column("Age")), row=_row)
