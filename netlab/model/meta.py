"""Objects as JSON has them, and the few questions that every part asks of their metadata."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

Manifest = dict[str, Any]
"""An object as JSON has it. Never changed once it is in the store: copy to derive."""


class ObjectKey(NamedTuple):
    """Where an object lives: plural resource name, namespace ("" when cluster-scoped), name."""

    resource: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.resource}/{self.namespace}/{self.name}" if self.namespace else f"{self.resource}/{self.name}"


def metadata(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The object's metadata, empty when absent."""
    return manifest.get("metadata") or {}


def name(manifest: Mapping[str, Any]) -> str:
    """metadata.name, "" when absent."""
    return str(metadata(manifest).get("name") or "")


def namespace(manifest: Mapping[str, Any]) -> str:
    """metadata.namespace, "" when absent."""
    return str(metadata(manifest).get("namespace") or "")


def uid(manifest: Mapping[str, Any]) -> str:
    """metadata.uid, "" when absent."""
    return str(metadata(manifest).get("uid") or "")


def labels(manifest: Mapping[str, Any]) -> dict[str, str]:
    """metadata.labels, empty when absent."""
    return metadata(manifest).get("labels") or {}


def annotations(manifest: Mapping[str, Any]) -> dict[str, str]:
    """metadata.annotations, empty when absent."""
    return metadata(manifest).get("annotations") or {}


def spec(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The object's spec, empty when absent."""
    return manifest.get("spec") or {}


def status(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The object's status, empty when absent."""
    return manifest.get("status") or {}


def revision(manifest: Mapping[str, Any]) -> int:
    """The store revision of the object's last write, 0 before the first."""
    return int(metadata(manifest).get("resourceVersion") or 0)


def is_deleting(manifest: Mapping[str, Any]) -> bool:
    """Whether deletion was asked for (deletionTimestamp is set)."""
    return bool(metadata(manifest).get("deletionTimestamp"))


def controller_of(manifest: Mapping[str, Any]) -> dict[str, Any] | None:
    """The owner reference with `controller: true`, if any."""
    return next((ref for ref in metadata(manifest).get("ownerReferences") or () if ref.get("controller")), None)


def owner_reference(owner: Mapping[str, Any]) -> dict[str, Any]:
    """A controlling owner reference to `owner`, as controllers put into what they make."""
    return {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": name(owner), "uid": uid(owner),
            "controller": True, "blockOwnerDeletion": True}


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with whole seconds, as metadata carries it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> datetime:
    """The moment that an RFC 3339 text names; ValueError when it is none."""
    return datetime.fromisoformat(text)
