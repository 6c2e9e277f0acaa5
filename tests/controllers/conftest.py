import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from netlab.api.registry import Registry
from netlab.controllers.runtime import Manager
from netlab.model import meta
from netlab.model.errors import ApiError
from netlab.model.family import IPV6
from netlab.model.lab_spec import LabSpec
from netlab.model.ranges import DEFAULTS
from netlab.store import Store


class Cluster:
    """An API without a kernel: the test plays the kubelet."""

    def __init__(self, spec=LabSpec()):  # noqa: B008 -- it is frozen
        self.time = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
        self.store = Store()
        self.registry = Registry(self.store, spec, clock=lambda: self.time)
        self.ips = 0
        for name in ("default", "kube-system"):
            if self.registry.find("namespaces", name) is None:
                self.create("namespaces", {"metadata": {"name": name}})

    def delete_slowly(self, resource, name):
        """Deletes an object that somebody's finalizer keeps."""
        found = self.registry.get(resource, name, "default")
        self.registry.update(resource, found | {
            "metadata": found["metadata"] | {"finalizers": ["example.com/wait"]}})
        self.registry.delete(resource, name, namespace="default")

    def trigger_times(self, controller, only):
        """The last-change-trigger-time of the object that `only` gives: at first, then, 30 seconds later, with a pod
        that is not ready any more, then with one that belongs no more.
        """
        async def story(manager):
            times = [self._trigger_time(only)]
            self.wait(seconds=30)
            self.run_pod("web-1", ready=False)
            await manager.settled()
            times.append(self._trigger_time(only))
            self.relabel("pods", "web-2", {"app": "other"})
            await manager.settled()
            return [*times, self._trigger_time(only)]

        return self.run(story, controller)

    def _trigger_time(self, only):
        return meta.annotations(only(self)).get("endpoints.kubernetes.io/last-change-trigger-time")

    def run(self, story, *controllers):
        """Runs the coroutine function `story(manager)` while the controllers run."""
        async def main():
            manager = Manager([controller(self.registry) for controller in controllers])
            manager.start()
            try:
                await manager.settled(5)
                return await story(manager)
            finally:
                await manager.stop()

        return asyncio.run(main())

    def create(self, resource, manifest, namespace="default", *, dry_run=False):
        kind = self.registry.resource(resource)
        body = {"apiVersion": kind.api_version, "kind": kind.kind} | manifest
        return self.registry.create(resource, body, namespace=namespace if kind.namespaced else "", dry_run=dry_run)

    def change(self, resource, name, namespace="default", **spec):
        old = self.registry.get(resource, name, namespace)
        return self.registry.update(resource, old | {"spec": old["spec"] | spec})

    def relabel(self, resource, name, labels, namespace="default"):
        old = self.registry.get(resource, name, namespace)
        return self.registry.update(resource, old | {"metadata": old["metadata"] | {"labels": labels}})

    def list(self, resource, namespace="default"):
        return self.registry.list(resource, namespace if self.registry.resource(resource).namespaced else None)

    def names(self, resource, namespace="default"):
        return [meta.name(item) for item in self.list(resource, namespace)]

    def events(self, namespace="default"):
        return [(event["reason"], event["message"]) for event in
                sorted(self.list("events", namespace), key=lambda e: int(e["metadata"]["name"].split(".")[-1], 16))]

    def node(self, name, *, labels=None, **spec):
        return self.create("nodes", {"metadata": {"name": name, "labels": labels or {}}, "spec": spec}, "")

    def service(self, name="web", *, labels=None, namespace="default", **spec):
        defaults = {"selector": {"app": name}, "clusterIP": "10.96.0.99", "clusterIPs": ["10.96.0.99"],
                    "type": "ClusterIP", "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
                    "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}]}
        if spec.get("clusterIP") == "None":
            spec["clusterIPs"] = ["None"]
        if len(self.list("services")):
            defaults = {k: v for k, v in defaults.items() if k not in ("clusterIP", "clusterIPs")}
        body = {k: v for k, v in (defaults | spec).items() if v is not None}
        return self.create("services", {"metadata": {"name": name, "labels": labels or {}}, "spec": body}, namespace)

    def pod(self, name, labels=None, *, namespace="default", ports=(), **spec):
        body = {"containers": [{"name": "c", "image": "i", "ports": list(ports)}], "terminationGracePeriodSeconds": 30}
        return self.create("pods", {"metadata": {"name": name, "labels": labels or {}}, "spec": body | spec}, namespace)

    def run_pod(self, name, *, ready=True, namespace="default", ip="", phase="Running"):
        """What a kubelet writes when the pod runs."""
        pod = self.registry.get("pods", name, namespace)
        self.ips += 1
        ip = ip or meta.status(pod).get("podIP") or f"10.244.{self.ips // 250}.{self.ips % 250 + 1}"
        old = [c for c in meta.status(pod).get("conditions") or () if c["type"] != "Ready"]
        status = {"phase": phase, "podIP": ip, "podIPs": [{"ip": ip}], "conditions": [
            *old, {"type": "Ready", "status": str(ready), "lastTransitionTime": self.registry.now()}]}
        return self.registry.update("pods", pod | {"status": meta.status(pod) | status}, subresource="status")

    def run_all(self, *, ready=True):
        """Every pod that is not deleted gets running and ready; deleted ones disappear."""
        for pod in self.list("pods"):
            if meta.is_deleting(pod):
                self.registry.delete("pods", meta.name(pod), namespace="default", grace_period=0)
            elif (pod.get("status") or {}).get("podIP") is None:
                self.run_pod(meta.name(pod), ready=ready)

    def wait(self, **time):
        self.time += timedelta(**time)

    def gone(self, resource, name, namespace="default"):
        try:
            self.registry.get(resource, name, namespace)
        except ApiError:
            return True
        return False


@pytest.fixture
def cluster():
    return Cluster()


@pytest.fixture
def dual_cluster():
    """One whose Services may be of both families."""
    return Cluster(LabSpec(secondary=DEFAULTS[IPV6]))
