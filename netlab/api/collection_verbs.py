"""The verbs on collections: list, watch, create, deletecollection."""

from __future__ import annotations

from netlab.api import certificates, queries
from netlab.api.bodies import Bodies, place
from netlab.api.delete_options import DeleteOptions
from netlab.api.list_bodies import ListBodies, list_body
from netlab.api.paging import PAGING, page
from netlab.api.registry import Registry
from netlab.api.request import Request
from netlab.api.response import Answer, Response, json_response
from netlab.api.routes import Route
from netlab.api.table import TableView
from netlab.api.watch import View, Watch
from netlab.model.selectors import FieldSelector, FieldTerm


class Collections:
    """Answers for one registry."""

    def __init__(self, registry: Registry, bodies: Bodies) -> None:
        self._registry, self._bodies = registry, bodies
        self._lists = ListBodies()

    def list(self, request: Request, route: Route) -> Answer:
        """The objects, a table of them, or a watch."""
        kind, store = route.kind, self._registry.store
        view = queries.view(request, route)
        table = self._bodies.table(request, kind)
        if request.flag("watch"):
            return self.watch(request, view, table)
        warnings = (kind.deprecated,) if kind.deprecated else ()
        if table:
            found = page(request, view, store)
            body = table.render(found.entries, found.metadata())
        elif view.is_whole and not any(request.text(name) for name in PAGING):
            body = self._lists.body(store, kind, view.namespace)
        else:
            found = page(request, view, store)
            body = list_body(kind, found.entries, found.metadata())
        return Response(200, body, warnings=warnings)

    def watch(self, request: Request, view: View, table: TableView | None) -> Watch:
        """The changes of the view from the revision on that the request says."""
        initial = request.flag("sendInitialEvents")
        since = None if initial else queries.revision(request)
        timeout = request.number("timeoutSeconds")
        return Watch(self._registry.store, view, since=since, table=table, timeout=float(timeout or 3600),
                     bookmarks=request.flag("allowWatchBookmarks"), send_initial=initial)

    def create(self, request: Request, route: Route) -> Answer:
        """The object that was made."""
        kind = route.kind
        manifest, warnings = self._bodies.decode(request, kind, request.json())
        place(manifest, route)
        warnings += kind.warnings(manifest, None)
        if kind.key == certificates.PLURAL:
            certificates.sign_in(manifest, request.user)
        made = self._registry.create(kind.key, manifest, namespace=route.namespace or "", dry_run=request.dry_run,
                                     track=self._bodies.track(request, route))
        return self._bodies.one(request, kind, made, 201, warnings)

    def delete_all(self, request: Request, route: Route) -> Answer:
        """The objects that were deleted."""
        options = DeleteOptions.of(request)
        view = queries.view(request, route)
        chosen = view.fields
        if view.name:
            chosen = FieldSelector((*chosen.terms, FieldTerm("metadata.name", equal=True, value=view.name)))
        gone = self._registry.delete_collection(
            route.kind.key, route.namespace, labels=view.labels, fields=chosen, grace_period=options.grace_period,
            propagation=options.propagation or route.kind.propagation, dry_run=options.dry_run)
        return json_response({"kind": route.kind.list_kind, "apiVersion": route.kind.api_version,
                              "metadata": {"resourceVersion": str(self._registry.store.revision)}, "items": gone})
