"""The verbs on single objects: get, update, patch, apply, delete; and their Scale."""

from __future__ import annotations

from dataclasses import replace

from netlab.api import attributes, managed_fields, queries, rbac, scale, typed
from netlab.api.bodies import Bodies, place
from netlab.api.collection_verbs import Collections
from netlab.api.decode import decode
from netlab.api.delete_options import DeleteOptions
from netlab.api.patch import APPLY, TYPES, check_type
from netlab.api.registry import Registry
from netlab.api.request import Request, parse_json, parse_yaml
from netlab.api.response import Answer, Response, json_response
from netlab.api.routes import Route, no_such_method
from netlab.api.watch import View
from netlab.model import meta
from netlab.model.errors import not_found, unsupported_media_type
from netlab.model.meta import Manifest, ObjectKey

DELETED_ARE_GIVEN = ("pods", "services", "serviceaccounts", "resourcequotas")
"""Who deletes one of these is told what it was; for others there is a Status (the API reference, "Response")."""


class Objects:
    """Answers for one registry."""

    def __init__(self, registry: Registry, bodies: Bodies, collections: Collections) -> None:
        self._registry, self._bodies, self._collections = registry, bodies, collections

    def get(self, request: Request, route: Route) -> Answer:
        """The object, or a watch of it."""
        entry = self._registry.store.entry(ObjectKey(route.kind.key, route.namespace or "", route.name))
        if entry is None:
            raise not_found(route.kind.plural, route.name, route.kind.group)
        if request.flag("watch"):
            view = View(route.kind, route.namespace, name=route.name)
            return self._collections.watch(request, view, self._bodies.table(request, route.kind))
        warnings = (route.kind.deprecated,) if route.kind.deprecated else ()
        table = self._bodies.table(request, route.kind)
        body = table.render([entry], {"resourceVersion": str(entry.revision)}) if table else entry.data
        return Response(200, body, warnings=warnings)

    def update(self, request: Request, route: Route) -> Answer:
        """The object as it is after it was replaced."""
        manifest, warnings = self._bodies.decode(request, route.kind, request.json())
        place(manifest, route)
        old = self._registry.get(route.kind.key, route.name, route.namespace or "")
        warnings += _warnings(route, manifest, old)
        new = self._registry.update(route.kind.key, manifest, subresource=route.subresource, dry_run=request.dry_run,
                                    track=self._bodies.track(request, route))
        return self._bodies.one(request, route.kind, new, 200, warnings)

    def patch(self, request: Request, route: Route) -> Answer:
        """The object as it is after the patch; server-side apply is a patch, too."""
        kind, space = route.kind, route.namespace or ""
        patch_type = request.content_type
        if patch_type == APPLY:
            return self._apply(request, route)
        check_type(kind, patch_type)
        old = self._registry.get(kind.key, route.name, space)
        validation, told = queries.validation(request), list[str]()
        new = self._registry.patch(kind.key, route.name, parse_json(request.body), namespace=space,
                                   subresource=route.subresource, patch_type=patch_type, dry_run=request.dry_run,
                                   strict=validation == "Strict", told=told, track=self._bodies.track(request, route))
        if route.subresource == "scale":
            return json_response(new)
        warnings = (told if validation == "Warn" else []) + _warnings(route, new, old)
        return self._bodies.one(request, kind, new, 200, warnings)

    def _apply(self, request: Request, route: Route) -> Answer:
        manager, force = request.text("fieldManager"), request.flag("force")
        managed_fields.check_options(manager, apply=True, force=force)
        if route.subresource not in ("", "status"):
            raise unsupported_media_type([kind for kind in TYPES if kind != APPLY])
        body = parse_yaml(request.body)
        if isinstance(body, dict):
            typed.check(route.kind, body, name=route.name, namespace=route.namespace or "")
        manifest, warnings = self._bodies.decode(request, route.kind, body)
        place(manifest, route)
        key, space = route.kind.key, route.namespace or ""
        old = self._registry.find(key, route.name, space)
        if not request.user.is_master and old is None:
            rbac.check(self._registry, request.user, replace(attributes.of(request), verb="create"))
        new, created = self._registry.apply(route.kind.key, manifest, namespace=route.namespace or "",
                                            subresource=route.subresource, dry_run=request.dry_run, manager=manager,
                                            force=force)
        warnings += _warnings(route, new, old)
        return self._bodies.one(request, route.kind, new, 201 if created else 200, warnings)

    def delete(self, request: Request, route: Route) -> Answer:
        """The object if it stays for now, or what is said of it when it is gone."""
        options, kind, space = DeleteOptions.of(request), route.kind, route.namespace or ""
        old = self._registry.delete(kind.key, route.name, namespace=space, grace_period=options.grace_period,
                                    propagation=options.propagation or kind.propagation, dry_run=options.dry_run,
                                    uid=options.uid, resource_version=options.resource_version)
        warnings = [] if options.propagation else list(filter(None, [kind.propagation_warning]))
        left = self._registry.find(kind.key, route.name, space)
        if left is not None and meta.uid(left) == meta.uid(old) and not options.dry_run:
            return self._bodies.one(request, kind, left, 200, warnings)
        if kind.key in DELETED_ARE_GIVEN:
            return self._bodies.one(request, kind, old, 200, warnings)
        details = {"name": route.name, "group": kind.group, "kind": kind.plural, "uid": meta.uid(old)}
        done = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
                "details": {key: value for key, value in details.items() if value}}
        return json_response(done, warnings=tuple(warnings))

    def scale(self, request: Request, route: Route) -> Answer:
        """The object's Scale."""
        key, space = route.kind.key, route.namespace or ""
        if request.method == "GET":
            return json_response(scale.from_manifest(route.kind, self._registry.get(key, route.name, space)))
        if request.method == "PUT":
            manifest = decode(request.json(), "Scale", "autoscaling/v1")
            place(manifest, route)
            return json_response(self._registry.update(key, manifest, subresource="scale", dry_run=request.dry_run,
                                                       track=self._bodies.track(request, route)))
        if request.method == "PATCH":
            return self.patch(request, route)
        raise no_such_method()


def _warnings(route: Route, new: Manifest, old: Manifest | None) -> list[str]:
    """What the kind says about the object, also when nothing has changed; a status is no matter of it."""
    return [] if route.subresource else route.kind.warnings(new, old)
