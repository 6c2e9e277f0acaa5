"""Custom kinds: what a CustomResourceDefinition makes the server serve."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from netlab.api import json_path, structural
from netlab.api.columns import UNKNOWN, age, since
from netlab.api.decode import decode
from netlab.api.resource import Column, Objects, Resource, ScalePaths
from netlab.api.structural_rules import schema_problems
from netlab.api.views import View
from netlab.model import meta
from netlab.model.errors import ApiError, FieldError, invalid_object
from netlab.model.meta import Manifest


class Custom(NamedTuple):
    """A kind as it is stored, if that version is served, and its other versions that are."""

    kind: Resource
    is_served: bool
    views: tuple[View, ...]


def of(definition: Manifest) -> Custom:
    """What a valid definition makes."""
    versions = meta.spec(definition)["versions"]
    stored = next(version for version in versions if version["storage"])
    kind = _kind(definition, stored)
    others = [version for version in versions if version["served"] and version is not stored]
    return Custom(kind, stored["served"], tuple(
        _view(kind, _kind(definition, version), schema_of(version)) for version in others))


def schema_of(version: dict[str, Any]) -> structural.Schema:
    """The schema of a version."""
    found: structural.Schema = (version.get("schema") or {}).get("openAPIV3Schema") or {}
    return found


def is_accepted(definition: Manifest) -> bool:
    """Whether the names of a definition were free, so that its kind is served."""
    return any(condition.get("type") == "Established" and condition.get("status") == "True"
               for condition in meta.status(definition).get("conditions") or ())


def _kind(definition: Manifest, version: dict[str, Any]) -> Resource:
    spec, schema = meta.spec(definition), schema_of(version)
    names, subresources = spec["names"], version.get("subresources") or {}
    scale = subresources.get("scale")
    columns = version.get("additionalPrinterColumns") or [_AGE]

    def validate(new: Manifest, old: Manifest | None) -> list[FieldError]:
        return schema_problems(new, schema)

    return Resource(
        names["plural"], names["kind"], spec["group"], version["name"], namespaced=spec["scope"] == "Namespaced",
        short_names=tuple(names.get("shortNames") or ()), categories=tuple(names.get("categories") or ()),
        subresources=tuple(name for name in ("status", "scale") if name in subresources), generations=True,
        default=partial(structural.complete, schema=schema), prepare=partial(_refuse_when_leaving, definition),
        validate=validate, validate_status=validate,
        columns=(Column("Name"), *(Column(
            column["name"], column.get("priority", 0), column["type"], column.get("format", ""),
            column.get("description", "")) for column in columns)),
        row=partial(_row, columns), custom=True, schema=schema, own_shape=structural.shape_of_root(schema),
        own_singular=names["singular"], own_list_kind=names["listKind"],
        scale_paths=ScalePaths(scale["specReplicasPath"], scale["statusReplicasPath"],
                               scale.get("labelSelectorPath") or "") if scale else ScalePaths(),
        selectable=tuple(field["jsonPath"].removeprefix(".") for field in version.get("selectableFields") or ()),
        deprecated=_deprecation(spec, version))


_AGE = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}


def _deprecation(spec: dict[str, Any], version: dict[str, Any]) -> str:
    if not version.get("deprecated"):
        return ""
    return version.get("deprecationWarning") or \
        f"{spec['group']}/{version['name']} {spec['names']['kind']} is deprecated"


def _refuse_when_leaving(definition: Manifest, registry: Objects, new: Manifest, old: Manifest | None) -> None:
    if old is None and meta.is_deleting(definition):
        raise ApiError(405, "MethodNotAllowed",
                       "create not allowed while custom resource definition is terminating")


def _view(stored: Resource, served: Resource, schema: structural.Schema) -> View:
    """Conversion by the strategy None: only apiVersion differs."""
    def show(manifest: Manifest) -> Manifest:
        return manifest | {"apiVersion": served.api_version}

    def read(manifest: Manifest) -> Manifest:
        new = decode(manifest, served.kind, served.api_version, shape=served.shape)
        structural.complete(new, schema=schema)
        if errors := schema_problems(new, schema):
            raise invalid_object(served.kind, meta.name(new), errors, served.group)
        return new | {"apiVersion": stored.api_version}

    # Its scale subresource and its tables are those of the stored version.
    return View(replace(served, scale_paths=stored.scale_paths), show, read)


def _row(columns: list[dict[str, Any]], manifest: Manifest, now: datetime) -> list[Any]:
    return [meta.name(manifest), *(_cell(column, manifest, now) for column in columns)]


def _cell(column: dict[str, Any], manifest: Manifest, now: datetime) -> Any:
    """As k8s.io/apiextensions-apiserver has it (pkg/registry/customresource/tableconvertor); None is an empty cell."""
    kind = column["type"]
    if column is _AGE:
        return age(manifest, now)
    value = json_path.first(column["jsonPath"], manifest)
    if value is None:
        return None
    if kind == "date":
        text = since(value, now) if isinstance(value, str) else None
        return "<invalid>" if text == UNKNOWN else text
    if kind == "string":
        return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
