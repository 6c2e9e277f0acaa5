"""Keeps the DNS server's view as the API is: lists each resource that the configuration needs, then watches it."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable

from netlab.dns.configuration import Configuration
from netlab.dns.corefile import CorefileError
from netlab.dns.plugins.kubernetes import Kubernetes
from netlab.dns.view import RESOURCES, DnsView, Key, Seen, parse
from netlab.model import meta
from netlab.model.errors import ApiError, LabError
from netlab.model.meta import Manifest
from netlab.server.client import ApiClient
from netlab.server.dns_log import Log
from netlab.server.dns_responder import Knowledge

PATHS = {
    "namespaces": "/api/v1/namespaces",
    "services": "/api/v1/services",
    "endpointslices": "/apis/discovery.k8s.io/v1/endpointslices",
    "pods": "/api/v1/pods",
}
SELECTED = ("services", "endpointslices", "pods")  # what a selector of labels applies to
BACKOFF = (0.02, 0.1, 0.3, 1.0)  # seconds before the API is tried again


class Informer:
    """Follows one resource. While the API is away, the view stays as it was."""

    def __init__(self, socket: str, resource: str, known: Knowledge, log: Log, *, labels: str = "",
                 sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = ApiClient(socket)
        self._resource = resource
        self._path = PATHS[resource]
        if labels and resource in SELECTED:
            self._path += f"?labelSelector={_quoted(labels)}"
        self._known = known
        self._stopped = threading.Event()
        self._log = log
        self._sleep = sleep

    def start(self) -> None:
        """Follows the resource in a thread until `stop`."""
        threading.Thread(target=self.run, name=f"informer-{self._resource}", daemon=True).start()

    def stop(self) -> None:
        """The view follows it no more; the thread ends with the next event."""
        self._stopped.set()

    def _update(self, change: Callable[[DnsView], DnsView]) -> None:
        # Asked within the update, which is one at a time: after `stop` and its own update nothing comes from here.
        self._known.update(lambda view: view if self._stopped.is_set() else change(view))

    def run(self) -> None:
        """Follows the resource, until `stop`."""
        failures = 0
        while not self._stopped.is_set():
            began = time.monotonic()
            try:
                self.follow()
                problem = ""  # the server ended the watch, as it may at any time
            except (ApiError, LabError) as error:
                problem = str(error)
            except Exception as error:
                problem = f"{type(error).__name__}: {error}"
            failures = 0 if time.monotonic() - began > 5 else failures + 1
            if problem and failures in (0, 1, len(BACKOFF)):
                self._log.warning(f"plugin/kubernetes: {self._resource}: {problem}; trying again, "
                                  f"answers come from the last known state")
            self._sleep(BACKOFF[min(failures, len(BACKOFF) - 1)])

    def follow(self) -> None:
        """Lists the resource and applies its events, until the watch ends or has to begin with a list again."""
        revision = self._list()
        gc.collect()
        gc.freeze()  # what was listed stays: to look at it again and again would make questions wait
        for event in self._client.watch(self._path, revision):
            if event.get("type") == "ERROR" or self._stopped.is_set():
                return
            self._apply(str(event.get("type")), event.get("object") or {})

    def _list(self) -> str:
        """Takes over all objects of the resource; the revision that they were of."""
        listing = self._client.get(self._path)
        self._client.close()  # the watch has a connection of its own, and lists are far between
        objects = [seen for item in listing.get("items") or () if (seen := self._parse(item))]
        self._update(
            lambda view: view.with_list(self._resource, objects, now=int(time.time())))
        return str(meta.metadata(listing).get("resourceVersion") or "")

    def _apply(self, type: str, manifest: Manifest) -> None:
        now = int(time.time())
        if type == "DELETED":
            space = "" if self._resource == "namespaces" else meta.namespace(manifest)
            key = Key(space, meta.name(manifest))
            self._update(lambda view: view.without_object(self._resource, key, now=now))
        elif type in ("ADDED", "MODIFIED") and (seen := self._parse(manifest)):
            self._update(lambda view: view.with_object(self._resource, seen, now=now))

    def _parse(self, manifest: Manifest) -> Seen | None:
        try:
            return parse(self._resource, manifest)
        except Exception as error:  # one object that cannot be read must not hide the others
            self._log.limited("ERROR", f"plugin/kubernetes: {self._resource} {meta.namespace(manifest)}/"
                                       f"{meta.name(manifest)} cannot be read: {type(error).__name__}: {error}")
            return None


class Informers:
    """Those that a configuration needs. `follow` changes them when it is another."""

    def __init__(self, socket: str, known: Knowledge, log: Log) -> None:
        self._socket, self._known, self._log = socket, known, log
        self._running: dict[tuple[str, str], Informer] = {}

    def follow(self, configuration: Configuration) -> None:
        """Follows what its `kubernetes` plugins need, and nothing else."""
        wanted = needs(configuration)
        for key in [key for key in self._running if key not in wanted]:
            self._running.pop(key).stop()
            resource = key[0]
            self._known.update(lambda view, resource=resource: view.without_resource(resource))  # type: ignore[misc]
        for key in wanted:
            if key not in self._running:
                self._running[key] = Informer(self._socket, key[0], self._known, self._log, labels=key[1])
                self._running[key].start()


def needs(configuration: Configuration) -> set[tuple[str, str]]:
    """(resource, selector of labels) of all that is to be followed; CorefileError when servers want different ones."""
    plugins = configuration.all(Kubernetes)
    labels = {plugin.labels for plugin in plugins}
    if len(labels) > 1:
        raise CorefileError("plugin/kubernetes: all servers of a lab's DNS have the same labels")
    resources = set(RESOURCES) if plugins else set()
    if any(zones.pods == "verified" for plugin in plugins for zones in plugin.zones):
        resources.add("pods")
    return {(resource, label if resource in SELECTED else "") for resource in resources for label in labels}


def _quoted(text: str) -> str:
    """The text as part of a query (RFC 3986, 2.1)."""
    return "".join(chr(byte) if chr(byte).isalnum() and byte < 128 else f"%{byte:02X}" for byte in text.encode())
