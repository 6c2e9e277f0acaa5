"""A large cluster as the DNS server sees it, at an API over a unix socket that the bench plays."""

from __future__ import annotations

import json
import queue
import socket
import struct
import threading
from pathlib import Path
from typing import Any

SERVICES, ENDPOINTS = 5000, 10
PATHS = {"/api/v1/namespaces": "namespaces", "/api/v1/services": "services",
         "/apis/discovery.k8s.io/v1/endpointslices": "endpointslices"}
DOMAIN = "default.svc.cluster.local"


def service_names() -> list[str]:
    """The names of all Services."""
    return [f"svc-{number}.{DOMAIN}" for number in range(SERVICES)]


def endpoint_names() -> list[str]:
    """The names of all endpoints."""
    return [f"{address.replace('.', '-')}.svc-{number}.{DOMAIN}"
            for number in range(SERVICES) for address in _addresses(number)]


def hosts() -> str:
    """All of these as lines of a hosts file."""
    lines = [f"{_cluster_ip(number)} {name}\n" for number, name in enumerate(service_names())]
    addresses = [address for number in range(SERVICES) for address in _addresses(number)]
    pairs = zip(addresses, endpoint_names(), strict=True)
    return "".join([*lines, *(f"{address} {name}\n" for address, name in pairs)])


def _cluster_ip(number: int) -> str:
    return f"10.96.{number // 250 + 1}.{number % 250 + 1}"


def _addresses(number: int) -> list[str]:
    first = number * ENDPOINTS
    return [f"10.{244 + n // 62500}.{n // 250 % 250}.{n % 250 + 1}" for n in range(first, first + ENDPOINTS)]


def with_service(name: str, address: str) -> dict[str, Any]:
    """A Service as the API has it."""
    return {"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": "default", "uid": "6f0c1c1e-0000-4000-8000-000000000000",
                         "creationTimestamp": "2024-05-21T00:00:00Z", "labels": {"app": name}},
            "spec": {"type": "ClusterIP", "clusterIP": address, "clusterIPs": [address], "selector": {"app": name},
                     "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack", "sessionAffinity": "None",
                     "internalTrafficPolicy": "Cluster",
                     "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}]},
            "status": {"loadBalancer": {}}}


def _slice(number: int) -> dict[str, Any]:
    name = f"svc-{number}"
    return {"metadata": {"name": f"{name}-abcde", "namespace": "default", "generateName": f"{name}-",
                         "labels": {"kubernetes.io/service-name": name,
                                    "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}},
            "addressType": "IPv4", "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
            "endpoints": [{"addresses": [address], "nodeName": "worker",
                           "conditions": {"ready": True, "serving": True, "terminating": False},
                           "targetRef": {"kind": "Pod", "namespace": "default", "name": f"{name}-{address}"}}
                          for address in _addresses(number)]}


def cluster() -> dict[str, list[dict[str, Any]]]:
    """All objects."""
    return {"namespaces": [{"metadata": {"name": "default"}}],
            "services": [with_service(f"svc-{number}", _cluster_ip(number)) for number in range(SERVICES)],
            "endpointslices": [_slice(number) for number in range(SERVICES)]}


def query(name: str) -> bytes:
    """A question for A records."""
    labels = b"".join(bytes((len(label),)) + label.encode() for label in name.split("."))
    return struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"


class PlayedApi:
    """Lists and watches, for as long as the program runs."""

    def __init__(self, path: Path, objects: dict[str, list[dict[str, Any]]]) -> None:
        self._objects = objects
        self._watches: list[tuple[str, queue.Queue[bytes]]] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def put(self, resource: str, manifest: dict[str, Any]) -> None:
        """A new object, told to those who watch."""
        self._objects[resource].append(manifest)
        for watched, events in self._watches:
            if watched == resource:
                events.put(json.dumps({"type": "ADDED", "object": manifest}).encode() + b"\n")

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, client.makefile("rb") as lines:
            while first := lines.readline():
                while lines.readline() not in (b"\r\n", b""):
                    pass
                path, _, asked = first.split()[1].decode().partition("?")
                if path not in PATHS:
                    client.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}")
                elif "watch=true" in asked:
                    self._watch(client, PATHS[path])
                    return
                else:
                    body = json.dumps({"metadata": {"resourceVersion": "1"},
                                       "items": self._objects[PATHS[path]]}).encode()
                    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    def _watch(self, client: socket.socket, resource: str) -> None:
        events: queue.Queue[bytes] = queue.Queue()
        self._watches.append((resource, events))
        try:
            client.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                line = events.get()
                client.sendall(b"%x\r\n%s\r\n" % (len(line), line))
        except OSError:
            self._watches.remove((resource, events))
