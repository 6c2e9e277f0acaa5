"""Requests on resources: paths, queries and bodies become calls of the registry, results become responses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from netlab.api import attributes, certificates, discovery, escalation, health, openapi, rbac, reviews, routes
from netlab.api.bodies import Bodies
from netlab.api.collection_verbs import Collections
from netlab.api.object_verbs import Objects
from netlab.api.pod_requests import bind, evict, log_request
from netlab.api.pod_streams import METHODS, STREAMS, stream_request
from netlab.api.proxying import proxy_request
from netlab.api.registry import Registry
from netlab.api.request import Request, parse_json
from netlab.api.response import Answer, Response, error_response, json_response
from netlab.api.routes import Route, no_such_method, unknown_path
from netlab.api.service_accounts import token_request
from netlab.api.view_requests import serve_view
from netlab.model.errors import ApiError, bad_request, forbidden_request, internal_error

READING = ("GET", "HEAD")
Act = Callable[[Request, Route], Answer]


class Api:
    """The API over a registry. `on_bug` is told of an exception that nobody foresaw, before it is answered with 500."""

    def __init__(self, registry: Registry, *, on_bug: Callable[[Exception], None] = lambda error: None) -> None:
        self.registry = registry
        self.on_bug = on_bug
        bodies = Bodies(registry)
        collections = Collections(registry, bodies)
        objects = self._objects = Objects(registry, bodies, collections)
        self._collection_verbs: dict[str, Act] = {
            "GET": collections.list, "HEAD": collections.list, "POST": collections.create,
            "DELETE": collections.delete_all}
        self._object_verbs: dict[str, Act] = {
            "GET": objects.get, "HEAD": objects.get, "PUT": objects.update, "PATCH": objects.patch,
            "DELETE": objects.delete}

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
            trial = act(replace(request, query={**request.query, "dryRun": ("All",)},
                                headers={**request.headers, "accept": "application/json"}), route)
            assert isinstance(trial, Response)
            escalation.check(self.registry, request.user, route.kind.plural, parse_json(trial.body))
        return act(request, route)

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
            return self._objects.scale(request, route)
        if name == "approval" and method in ("PUT", "PATCH"):
            certificates.check_approval(self.registry, request.user, self.registry.get(kind.key, route.name))
        if name in ("status", "finalize", "ephemeralcontainers", "approval"):
            act = {"GET": self._objects.get, "PUT": self._objects.update, "PATCH": self._objects.patch}.get(method)
            if act is not None:
                return act(request, route)
        raise no_such_method()
