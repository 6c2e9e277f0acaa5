"""What requests bring and what is answered: manifests of a kind, tables, the tracking of who writes."""

from __future__ import annotations

from typing import Any

from netlab.api import managed_fields, queries
from netlab.api.decode import decode
from netlab.api.field_set import Track
from netlab.api.registry import Registry
from netlab.api.request import Request
from netlab.api.resource import Resource
from netlab.api.response import Response, dump, json_response
from netlab.api.routes import Route
from netlab.api.table import TableView
from netlab.model import meta
from netlab.model.errors import bad_request
from netlab.model.meta import Manifest, ObjectKey
from netlab.store import Entry


class Bodies:
    """Reads and writes them for one registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def track(self, request: Request, route: Route) -> Track:
        """What registers the writer of the request as the manager of what it changes."""
        given = request.text("fieldManager")
        managed_fields.check_options(given, apply=False, force=request.method == "PATCH" and request.flag("force"))
        name = managed_fields.manager_name(given, request.headers.get("user-agent", ""))
        return managed_fields.updating(route.kind, name, now=self._registry.now(), subresource=route.subresource)

    def table(self, request: Request, kind: Resource) -> TableView | None:
        """The table that the client wants, None when it wants objects."""
        for wanted in request.headers.get("accept", "").split(","):
            if "as=Table" in wanted:
                version = "v1beta1" if "v=v1beta1" in wanted else "v1"
                return TableView(kind, self._registry.clock, request.text("includeObject", "Metadata"), version)
            if wanted.strip().startswith("application/json"):
                return None
        return None

    def decode(self, request: Request, kind: Resource, body: Any) -> tuple[Manifest, list[str]]:
        """The body as an object of the kind, and warnings of unknown and duplicate fields."""
        validation = queries.validation(request)
        told: list[str] = []
        manifest = decode(body, kind.kind, kind.api_version, strict=validation == "Strict", told=told,
                          shape=kind.shape)
        if manifest.get("apiVersion") not in (None, "", kind.api_version):
            raise bad_request(f"the API version in the data ({manifest['apiVersion']}) does not match the expected API "
                              f"version ({kind.api_version})")
        if manifest.get("kind") not in (None, "", kind.kind):
            raise bad_request(f'{manifest["kind"]} in version "{kind.version}" cannot be handled as a {kind.kind}: '
                              "no kind match")
        return manifest, told if validation == "Warn" else []

    def one(self, request: Request, kind: Resource, manifest: Manifest, code: int, warnings: list[str]) -> Response:
        """The answer that gives one object, as the client wants it."""
        told = tuple(warnings) + ((kind.deprecated,) if kind.deprecated else ())
        table = self.table(request, kind)
        key = ObjectKey(kind.key, meta.namespace(manifest), meta.name(manifest))
        if table is None:
            stored = self._registry.store.entry(key)
            if stored is not None and stored.manifest is manifest:
                return Response(code, stored.data, warnings=told)  # its JSON is there already
            return json_response(manifest, code, warnings=told)
        entry = Entry(key, manifest, dump(manifest), meta.revision(manifest))
        return Response(code, table.render([entry], {"resourceVersion": str(entry.revision)}), warnings=told)


def place(manifest: Manifest, route: Route) -> None:
    """Puts namespace and name of the path into the object, or refuses another."""
    data = manifest.setdefault("metadata", {})
    space = route.namespace or ""
    if data.get("namespace") not in (None, "", space):
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    if space:
        data["namespace"] = space
    if route.name and data.get("name") not in (None, "", route.name):
        raise bad_request(f"the name of the object ({data['name']}) does not match the name on the URL "
                          f"({route.name})")
    if route.name:
        data["name"] = route.name
