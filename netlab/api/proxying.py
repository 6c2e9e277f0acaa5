"""Where the proxy subresources of pods, Services and nodes lead (k8s.io/kubernetes, ResourceLocation of each)."""

from __future__ import annotations

import random
from ipaddress import ip_address
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from netlab.api.registry import Registry
from netlab.api.request import Request
from netlab.api.response import ProxyRequest, Response
from netlab.api.routes import Route
from netlab.model import meta
from netlab.model.errors import ApiError, bad_request, forbidden_request
from netlab.model.meta import Manifest

SCHEMES = {"": 80, "http": 80, "https": 443}


class _Id(NamedTuple):
    scheme: str
    name: str
    port: str


def proxy_request(registry: Registry, request: Request, route: Route) -> ProxyRequest | Response:
    """The backend and what it is asked. ApiError: 400 for a name that cannot be read, 404, 503 without a backend.

    A GET of `…/proxy` is sent to `…/proxy/`, so that a page's relative links work.
    """
    if request.read_only:
        raise forbidden_request(f"{route.kind.plural}/proxy", route.name, "this socket is read-only")
    locate = {"pods": _pod, "services": _service, "nodes": _node}[route.kind.plural]
    scheme, host, port = locate(registry, route)
    target = urlsplit(request.target)
    query = f"?{target.query}" if target.query else ""
    parts = target.path.lstrip("/").split("/")
    place = 7 if route.kind.namespaced else 5  # api/v1/namespaces/NS/pods/NAME/proxy, api/v1/nodes/NAME/proxy
    prefix = "/" + "/".join(parts[:place])
    if len(parts) == place and request.method in ("GET", "HEAD") and "upgrade" not in request.headers:
        return Response(301, headers=(("Location", f"{prefix}/{query}"),))
    path = "/" + "/".join(parts[place:])
    return ProxyRequest(scheme, host, port, path + query, prefix)


def _split(text: str, what: str) -> _Id:
    parts = text.split(":")
    found = {1: lambda: _Id("", parts[0], ""), 2: lambda: _Id("", parts[0], parts[1]),
             3: lambda: _Id(*parts)}.get(len(parts), lambda: _Id("?", "", ""))()
    if not found.name or found.scheme not in SCHEMES:
        raise bad_request(f'invalid {what} request "{text}"')
    return found


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else None


def _unavailable(message: str) -> ApiError:
    return ApiError(503, "ServiceUnavailable", message)


def _pod(registry: Registry, route: Route) -> tuple[str, str, int]:
    scheme, name, port = _split(route.name, "pod")
    pod = registry.get("pods", name, route.namespace or "")
    if not port:
        declared = (c["ports"][0]["containerPort"] for c in meta.spec(pod).get("containers") or () if c.get("ports"))
        port = str(next(declared, SCHEMES[scheme]))
    address = str(meta.status(pod).get("podIP") or "")
    if not _is_global_unicast(address):
        raise bad_request("address not allowed")
    number = _number(port)
    if number is None:
        raise _unavailable(f"error trying to reach service: dial tcp: lookup tcp/{port}: unknown port")
    return scheme or "http", address, number


def _is_global_unicast(text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return not (address.is_unspecified or address.is_loopback or address.is_multicast or address.is_link_local
                or text == "255.255.255.255")


def _service(registry: Registry, route: Route) -> tuple[str, str, int]:
    scheme, name, port = _split(route.name, "service")
    space = route.namespace or ""
    number = _number(port)
    if number is not None:
        ports = meta.spec(registry.get("services", name, space)).get("ports") or ()
        named = [str(p.get("name") or "") for p in ports if p.get("port") == number]
        if not named:
            raise _unavailable(f'no service port {number} found for service "{name}"')
        port = named[0]
    endpoints = registry.find("endpoints", name, space)
    if endpoints is None:
        registry.get("services", name, space)
    subsets = list((endpoints or {}).get("subsets") or ())
    random.shuffle(subsets)
    for subset in subsets:
        for entry in subset.get("ports") or ():
            if str(entry.get("name") or "") != port:
                continue
            addresses = [a for a in subset.get("addresses") or () if _is_of_pod(registry, a, space)]
            if addresses:
                return scheme or "http", str(random.choice(addresses)["ip"]), int(entry["port"])
    raise _unavailable(f'no endpoints available for service "{route.name if subsets else name}"')


def _is_of_pod(registry: Registry, address: dict[str, Any], namespace: str) -> bool:
    """Whether a pod of the namespace has that address: nobody reaches other places through the API server."""
    target = address.get("targetRef") or {}
    if target.get("kind") != "Pod" or target.get("namespace", namespace) != namespace:
        return False
    pod: Manifest = registry.find("pods", str(target.get("name") or ""), namespace) or {}
    return address.get("ip") in [meta.status(pod).get("podIP"), *(p.get("ip") for p in
                                                                  meta.status(pod).get("podIPs") or ())]


def _node(registry: Registry, route: Route) -> tuple[str, str, int]:
    scheme, name, port = _split(route.name, "node")
    status = meta.status(registry.get("nodes", name))
    address = next((a["address"] for a in status.get("addresses") or () if a.get("type") == "InternalIP"), "")
    kubelet = ((status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}).get("Port", 10250)
    if not address:
        raise bad_request(f'node "{name}" has no address')
    number = _number(port or str(kubelet))
    if number is None:
        raise bad_request(f'invalid node request "{route.name}"')
    return scheme or ("https" if number == kubelet else "http"), str(address), number
