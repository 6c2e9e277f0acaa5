"""Keeps the DNS server's view as the API is: lists each resource, then watches it."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable

from netlab.dns.view import Key, Seen, parse
from netlab.model import meta
from netlab.model.errors import ApiError, LabError
from netlab.model.meta import Manifest
from netlab.server.client import ApiClient
from netlab.server.dns_log import Log
from netlab.server.dns_responder import Responder

PATHS = {
    "namespaces": "/api/v1/namespaces",
    "services": "/api/v1/services",
    "endpointslices": "/apis/discovery.k8s.io/v1/endpointslices",
}
BACKOFF = (0.02, 0.1, 0.3, 1.0)  # seconds before the API is tried again


class Informer:
    """Follows one resource. While the API is away, the view stays as it was."""

    def __init__(self, socket: str, resource: str, responder: Responder, log: Log,
                 sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = ApiClient(socket)
        self._resource = resource
        self._responder = responder
        self._log = log
        self._sleep = sleep

    def start(self) -> None:
        """Follows the resource in a thread until the process ends."""
        threading.Thread(target=self.run, name=f"informer-{self._resource}", daemon=True).start()

    def run(self) -> None:
        """Follows the resource, for ever."""
        failures = 0
        while True:
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
        for event in self._client.watch(PATHS[self._resource], revision):
            if event.get("type") == "ERROR":
                return
            self._apply(str(event.get("type")), event.get("object") or {})

    def _list(self) -> str:
        """Takes over all objects of the resource; the revision that they were of."""
        listing = self._client.get(PATHS[self._resource])
        self._client.close()  # the watch has a connection of its own, and lists are far between
        objects = [seen for item in listing.get("items") or () if (seen := self._parse(item))]
        self._responder.update(
            lambda view: view.with_list(self._resource, objects, now=int(time.time())))
        return str(meta.metadata(listing).get("resourceVersion") or "")

    def _apply(self, type: str, manifest: Manifest) -> None:
        now = int(time.time())
        if type == "DELETED":
            space = "" if self._resource == "namespaces" else meta.namespace(manifest)
            key = Key(space, meta.name(manifest))
            self._responder.update(lambda view: view.without_object(self._resource, key, now=now))
        elif type in ("ADDED", "MODIFIED") and (seen := self._parse(manifest)):
            self._responder.update(lambda view: view.with_object(self._resource, seen, now=now))

    def _parse(self, manifest: Manifest) -> Seen | None:
        try:
            return parse(self._resource, manifest)
        except Exception as error:  # one object that cannot be read must not hide the others
            self._log.limited("ERROR", f"plugin/kubernetes: {self._resource} {meta.namespace(manifest)}/"
                                       f"{meta.name(manifest)} cannot be read: {type(error).__name__}: {error}")
            return None
