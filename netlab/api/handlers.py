"""Requests on resources: paths, queries and bodies become calls of the registry, results become responses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from netlab.api import (
    attributes,
    certificates,
    discovery,
    escalation,
    field_labels,
    health,
    managed_fields,
    openapi,
    rbac,
    reviews,
    routes,
    scale,
    typed,
)
from netlab.api.decode import decode
from netlab.api.delete_options import DeleteOptions
from netlab.api.list_bodies import ListBodies, list_body
from netlab.api.paging import PAGING, page
from netlab.api.patch import APPLY, TYPES, check_type
from netlab.api.pod_requests import bind, evict, log_request
from netlab.api.pod_streams import METHODS, STREAMS, stream_request
from netlab.api.proxying import proxy_request
from netlab.api.registry import Registry
from netlab.api.request import Request, parse_json, parse_yaml
from netlab.api.resource import Resource
from netlab.api.response import Answer, Response, dump, error_response, json_response
from netlab.api.routes import Route, no_such_method, unknown_path
from netlab.api.service_accounts import token_request
from netlab.api.table import TableView
from netlab.api.view_requests import serve_view
from netlab.api.watch import View, Watch
from netlab.model import meta
from netlab.model.errors import (
    ApiError,
    bad_request,
    forbidden_request,
    internal_error,
    not_found,
    unsupported_media_type,
)
from netlab.model.meta import Manifest, ObjectKey
from netlab.model.selector_syntax import parse
from netlab.model.selectors import FieldSelector, FieldTerm, parse_fields
from netlab.store import Entry

READING = ("GET", "HEAD")
DELETED_ARE_GIVEN = ("pods", "services", "serviceaccounts", "resourcequotas")
"""Who deletes one of these is told what it was; for others there is a Status (the API reference, "Response")."""


class Api:
    """The API over a registry. `on_bug` is told of an exception that nobody foresaw, before it is answered with 500."""

    def __init__(self, registry: Registry, *, on_bug: Callable[[Exception], None] = lambda error: None) -> None:
        self.registry = registry
        self.on_bug = on_bug
        self._bodies = ListBodies()

    def handle(self, request: Request) -> Answer:
        """The answer to any request; failures are answered with their Status."""
        try:
            return self._handle(request)
        except ApiError as error:
            return error_response(error)
        except RecursionError:
            return error_response(bad_request("the object provided is nested too deeply"))
        except Exception as error:
            self.on_bug(error)
            return error_response(internal_error(f"{type(error).__name__}: {error}"))

    def authorize(self, request: Request) -> None:
        """Nothing when the user of the request may make it; ApiError 403 when not."""
        if not request.user.is_master:
            rbac.check(self.registry, request.user, attributes.of(request))

    def _handle(self, request: Request) -> Answer:
        self.authorize(request)
        served = self.registry.served
        if request.method in READING:
            answer = discovery.respond(request, served) or openapi.respond(request, served) or \
                health.respond(request, self.registry)
            if answer:
                return answer
        route = routes.find(request.path, served)
        if request.read_only and request.method not in READING:
            raise forbidden_request(route.kind.plural if route else request.path, route.name if route else "",
                                    "this socket is read-only", route.kind.group if route else "")
        if route is None:
            answer = reviews.respond(request, self.registry)
            if answer is None:
                raise unknown_path()
            return answer
        if route.view is not None:
            return serve_view(self._stored, request, route, self.registry)
        return self._stored(request, route)

    def _stored(self, request: Request, route: Route) -> Answer:
        if route.subresource:
            return self._subresource(request, route)
        act = (self._object_verbs if route.name else self._collection_verbs).get(request.method)
        if act is None or (request.method == "POST" and route.namespace is None):
            raise no_such_method()
        if route.kind.group == rbac.GROUP and request.method in ("POST", "PUT", "PATCH") \
                and not request.user.is_master:
            # What it would store is known only when all has been merged, defaulted and validated.
            trial = act(self, replace(request, query={**request.query, "dryRun": ("All",)},
                                      headers={**request.headers, "accept": "application/json"}), route)
            assert isinstance(trial, Response)
            escalation.check(self.registry, request.user, route.kind.plural, parse_json(trial.body))
        return act(self, request, route)

    # Collections

    def _list(self, request: Request, route: Route) -> Answer:
        kind, store = route.kind, self.registry.store
        view = _view(request, route)
        table = self._table(request, kind)
        if request.flag("watch"):
            return self._watch(request, view, table)
        warnings = (kind.deprecated,) if kind.deprecated else ()
        if table:
            found = page(request, view, store)
            body = table.render(found.entries, found.metadata())
        elif view.is_whole and not any(request.text(name) for name in PAGING):
            body = self._bodies.body(store, kind, view.namespace)
        else:
            found = page(request, view, store)
            body = list_body(kind, found.entries, found.metadata())
        return Response(200, body, warnings=warnings)

    def _watch(self, request: Request, view: View, table: TableView | None) -> Watch:
        initial = request.flag("sendInitialEvents")
        since = None if initial else _revision(request)
        timeout = request.number("timeoutSeconds")
        return Watch(self.registry.store, view, since=since, table=table, timeout=float(timeout or 3600),
                     bookmarks=request.flag("allowWatchBookmarks"), send_initial=initial)

    def _create(self, request: Request, route: Route) -> Answer:
        kind = route.kind
        manifest, warnings = self._decode(request, kind, request.json())
        self._place(manifest, route)
        warnings += kind.warnings(manifest, None)
        if kind.key == certificates.PLURAL:
            certificates.sign_in(manifest, request.user)
        made = self.registry.create(kind.key, manifest, namespace=route.namespace or "", dry_run=request.dry_run,
                                    track=self._track(request, route))
        return self._one(request, kind, made, 201, warnings)

    def _delete_collection(self, request: Request, route: Route) -> Answer:
        options = DeleteOptions.of(request)
        view = _view(request, route)
        chosen = view.fields
        if view.name:
            chosen = FieldSelector((*chosen.terms, FieldTerm("metadata.name", equal=True, value=view.name)))
        gone = self.registry.delete_collection(
            route.kind.key, route.namespace, labels=view.labels, fields=chosen, grace_period=options.grace_period,
            propagation=options.propagation or route.kind.propagation, dry_run=options.dry_run)
        return json_response({"kind": route.kind.list_kind, "apiVersion": route.kind.api_version,
                              "metadata": {"resourceVersion": str(self.registry.store.revision)}, "items": gone})

    # Objects

    def _get(self, request: Request, route: Route) -> Answer:
        entry = self.registry.store.entry(ObjectKey(route.kind.key, route.namespace or "", route.name))
        if entry is None:
            raise not_found(route.kind.plural, route.name, route.kind.group)
        if request.flag("watch"):
            view = View(route.kind, route.namespace, name=route.name)
            return self._watch(request, view, self._table(request, route.kind))
        warnings = (route.kind.deprecated,) if route.kind.deprecated else ()
        table = self._table(request, route.kind)
        body = table.render([entry], {"resourceVersion": str(entry.revision)}) if table else entry.data
        return Response(200, body, warnings=warnings)

    def _replace(self, request: Request, route: Route) -> Answer:
        manifest, warnings = self._decode(request, route.kind, request.json())
        self._place(manifest, route)
        old = self.registry.get(route.kind.key, route.name, route.namespace or "")
        warnings += route.kind.warnings(manifest, old)
        new = self.registry.update(route.kind.key, manifest, subresource=route.subresource, dry_run=request.dry_run,
                                   track=self._track(request, route))
        return self._one(request, route.kind, new, 200, warnings)

    def _patch(self, request: Request, route: Route) -> Answer:
        kind, space = route.kind, route.namespace or ""
        patch_type = request.content_type
        if patch_type == APPLY:
            return self._apply(request, route)
        check_type(kind, patch_type)
        old = self.registry.get(kind.key, route.name, space)
        validation, told = _validation(request), list[str]()
        new = self.registry.patch(kind.key, route.name, parse_json(request.body), namespace=space,
                                  subresource=route.subresource, patch_type=patch_type, dry_run=request.dry_run,
                                  strict=validation == "Strict", told=told, track=self._track(request, route))
        if route.subresource == "scale":
            return json_response(new)
        warnings = kind.warnings(new, old) if new is not old else []
        return self._one(request, kind, new, 200, (told if validation == "Warn" else []) + warnings)

    def _apply(self, request: Request, route: Route) -> Answer:
        manager, force = request.text("fieldManager"), request.flag("force")
        managed_fields.check_options(manager, apply=True, force=force)
        if route.subresource not in ("", "status"):
            raise unsupported_media_type([kind for kind in TYPES if kind != APPLY])
        body = parse_yaml(request.body)
        if isinstance(body, dict):
            typed.check(route.kind, body, name=route.name, namespace=route.namespace or "")
        manifest, warnings = self._decode(request, route.kind, body)
        self._place(manifest, route)
        key, space = route.kind.key, route.namespace or ""
        if not request.user.is_master and self.registry.find(key, route.name, space) is None:
            rbac.check(self.registry, request.user, replace(attributes.of(request), verb="create"))
        new, created = self.registry.apply(route.kind.key, manifest, namespace=route.namespace or "",
                                           subresource=route.subresource, dry_run=request.dry_run, manager=manager,
                                           force=force)
        return self._one(request, route.kind, new, 201 if created else 200, warnings)

    def _delete(self, request: Request, route: Route) -> Answer:
        options, kind, space = DeleteOptions.of(request), route.kind, route.namespace or ""
        old = self.registry.delete(kind.key, route.name, namespace=space, grace_period=options.grace_period,
                                   propagation=options.propagation or kind.propagation, dry_run=options.dry_run,
                                   uid=options.uid, resource_version=options.resource_version)
        warnings = [] if options.propagation else list(filter(None, [kind.propagation_warning]))
        left = self.registry.find(kind.key, route.name, space)
        if left is not None and meta.uid(left) == meta.uid(old) and not options.dry_run:
            return self._one(request, kind, left, 200, warnings)
        if kind.key in DELETED_ARE_GIVEN:
            return self._one(request, kind, old, 200, warnings)
        details = {"name": route.name, "group": kind.group, "kind": kind.plural, "uid": meta.uid(old)}
        done = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
                "details": {key: value for key, value in details.items() if value}}
        return json_response(done, warnings=tuple(warnings))

    # Subresources

    def _subresource(self, request: Request, route: Route) -> Answer:
        kind, name, method = route.kind, route.subresource, request.method
        if name not in kind.subresources or not route.name or (route.rest and name != "proxy"):
            raise unknown_path()
        if name == "proxy":
            return proxy_request(self.registry, request, route)
        if name == "log" and method == "GET":
            return log_request(self.registry, request, route)
        if name in STREAMS and method in METHODS:
            return stream_request(self.registry, request, route)
        if name == "eviction" and method == "POST":
            return evict(self.registry, request, route)
        if name == "binding" and method == "POST":
            return bind(self.registry, request, route)
        if name == "token" and method == "POST" and self.registry.issuer:
            account = self.registry.get(kind.key, route.name, route.namespace or "")
            return json_response(token_request(self.registry, self.registry.issuer, account, request.json(),
                                               dry_run=request.dry_run), 201)
        if name == "scale":
            return self._scale(request, route)
        if name == "approval" and method in ("PUT", "PATCH"):
            certificates.check_approval(self.registry, request.user, self.registry.get(kind.key, route.name))
        if name in ("status", "finalize", "ephemeralcontainers", "approval"):
            act = {"GET": self._get, "PUT": self._replace, "PATCH": self._patch}.get(method)
            if act is not None:
                return act(request, route)
        raise no_such_method()

    def _scale(self, request: Request, route: Route) -> Answer:
        key, space = route.kind.key, route.namespace or ""
        if request.method == "GET":
            return json_response(scale.from_manifest(route.kind, self.registry.get(key, route.name, space)))
        if request.method == "PUT":
            manifest = decode(request.json(), "Scale", "autoscaling/v1")
            self._place(manifest, route)
            return json_response(self.registry.update(key, manifest, subresource="scale", dry_run=request.dry_run,
                                                      track=self._track(request, route)))
        if request.method == "PATCH":
            return self._patch(request, route)
        raise no_such_method()

    # Bodies

    def _track(self, request: Request, route: Route) -> managed_fields.Track:
        given = request.text("fieldManager")
        managed_fields.check_options(given, apply=False, force=request.method == "PATCH" and request.flag("force"))
        name = managed_fields.manager_name(given, request.headers.get("user-agent", ""))
        return managed_fields.updating(route.kind, name, now=self.registry.now(), subresource=route.subresource)

    def _table(self, request: Request, kind: Resource) -> TableView | None:
        for wanted in request.headers.get("accept", "").split(","):
            if "as=Table" in wanted:
                version = "v1beta1" if "v=v1beta1" in wanted else "v1"
                return TableView(kind, self.registry.clock, request.text("includeObject", "Metadata"), version)
            if wanted.strip().startswith("application/json"):
                return None
        return None

    def _decode(self, request: Request, kind: Resource, body: Any) -> tuple[Manifest, list[str]]:
        """The body as an object of the kind, and warnings of unknown and duplicate fields."""
        validation = _validation(request)
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

    @staticmethod
    def _place(manifest: Manifest, route: Route) -> None:
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

    def _one(self, request: Request, kind: Resource, manifest: Manifest, code: int, warnings: list[str]) -> Response:
        told = tuple(warnings) + ((kind.deprecated,) if kind.deprecated else ())
        table = self._table(request, kind)
        key = ObjectKey(kind.key, meta.namespace(manifest), meta.name(manifest))
        if table is None:
            stored = self.registry.store.entry(key)
            if stored is not None and stored.manifest is manifest:
                return Response(code, stored.data, warnings=told)  # its JSON is there already
            return json_response(manifest, code, warnings=told)
        entry = Entry(key, manifest, dump(manifest), meta.revision(manifest))
        return Response(code, table.render([entry], {"resourceVersion": str(entry.revision)}), warnings=told)

    _collection_verbs = {"GET": _list, "HEAD": _list, "POST": _create, "DELETE": _delete_collection}  # noqa: RUF012
    _object_verbs = {"GET": _get, "HEAD": _get, "PUT": _replace, "PATCH": _patch, "DELETE": _delete}  # noqa: RUF012


def _validation(request: Request) -> str:
    """What shall happen about unknown and duplicate fields: Strict, Warn or Ignore."""
    validation = request.text("fieldValidation") or "Warn"
    if validation not in ("Strict", "Warn", "Ignore"):
        raise bad_request(f'fieldValidation: Unsupported value: "{validation}": supported values: "Ignore", '
                          '"Strict", "Warn"')
    return validation


def _revision(request: Request) -> int | None:
    """The resourceVersion of the query; None for "" and "0", which ask for none."""
    text = request.text("resourceVersion")
    if text and not (text.isascii() and text.isdigit() and len(text) < 19):
        raise bad_request(f'Invalid value: "{text[:100]}": invalid resource version')
    return int(text or 0) or None


def _view(request: Request, route: Route) -> View:
    fields = field_labels.resolve(route.kind, parse_fields(request.text("fieldSelector")))
    names = {term.value for term in fields.terms if term.path == "metadata.name" and term.equal}
    if len(names) == 1:
        rest = tuple(term for term in fields.terms if not (term.path == "metadata.name" and term.equal))
        name = names.pop()
        if name:
            return View(route.kind, route.namespace, parse(request.text("labelSelector")), FieldSelector(rest), name)
    return View(route.kind, route.namespace, parse(request.text("labelSelector")), fields)
