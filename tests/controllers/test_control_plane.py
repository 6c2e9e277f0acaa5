import asyncio
import time

from netlab.controllers.control_plane import control_plane
from netlab.controllers.runtime import Controller, Manager
from netlab.model import meta
from tests.api.objects import registry


def everything(cluster, story):
    async def main():
        manager = Manager(control_plane(cluster.registry, api_address="172.18.0.2", api_port=6443))
        manager.start()
        try:
            await manager.settled(5)
            return await story(manager)
        finally:
            await manager.stop()

    return asyncio.run(main())


def deployment(cluster, name, replicas):
    cluster.create("deployments", {"metadata": {"name": name}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": {"app": name}}, "progressDeadlineSeconds": 600,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
        "template": {"metadata": {"labels": {"app": name}},
                     "spec": {"containers": [{"name": "c", "image": "i"}], "terminationGracePeriodSeconds": 30}}}})


def test_from_a_deployment_to_endpoints_and_back_to_nothing(cluster):
    cluster.node("worker")
    cluster.node("worker2")

    async def story(manager):
        deployment(cluster, "web", 4)
        cluster.service("web", clusterIP=None, clusterIPs=None)
        await manager.settled()
        cluster.run_all()
        await manager.settled()
        part = next(s for s in cluster.list("endpointslices") if s["metadata"]["name"] != "kubernetes")
        assert sorted(e["nodeName"] for e in part["endpoints"]) == ["worker", "worker", "worker2", "worker2"]
        assert all(e["conditions"]["ready"] for e in part["endpoints"])
        cluster.registry.delete("deployments", "web", namespace="default")
        cluster.registry.delete("services", "web", namespace="default")
        await manager.settled()
        assert all(map(meta.is_deleting, cluster.list("pods")))
        cluster.run_all()
        await manager.settled()
        assert [cluster.names(r) for r in ("replicasets", "pods")] == [[], []]
        assert cluster.names("endpointslices") == cluster.names("endpoints") == ["kubernetes"]

    everything(cluster, story)


def test_a_change_in_a_large_lab_costs_little(cluster):
    """Seen in milliseconds; the limit is generous so that a busy machine passes, and far below a full scan's cost."""
    cluster.node("worker")
    for number in range(300):
        cluster.create("services", {"metadata": {"name": f"s{number}"}, "spec": {
            "type": "ClusterIP", "selector": {"app": f"s{number}"}, "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack", "sessionAffinity": "None",
            "clusterIP": f"10.97.{number // 250}.{number % 250 + 1}",
            "clusterIPs": [f"10.97.{number // 250}.{number % 250 + 1}"],
            "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}]}})
        cluster.pod(f"p{number}", {"app": f"s{number}"}, nodeName="worker")
        cluster.run_pod(f"p{number}")

    async def story(manager):
        assert len(cluster.list("endpointslices")) == 301
        revision = cluster.store.revision
        started = time.process_time()
        for number in range(10):
            cluster.run_pod(f"p{number}", ready=False)
            await manager.settled()
        spent = time.process_time() - started
        assert cluster.store.revision - revision == 30  # the pod, its slice, its Endpoints: nothing else
        assert spent < 0.5

    everything(cluster, story)


def test_controllers_that_start_again_find_all_right_and_write_nothing(cluster):
    cluster.node("worker")
    deployment(cluster, "web", 2)
    cluster.service("web", clusterIP=None, clusterIPs=None)
    cluster.service("manual", selector=None, clusterIP=None, clusterIPs=None)
    cluster.create("endpoints", {"metadata": {"name": "manual"}, "subsets": [
        {"addresses": [{"ip": "192.0.2.1"}], "ports": [{"port": 80, "protocol": "TCP"}]}]})

    async def first(manager):
        cluster.run_all()
        await manager.settled()
        return cluster.store.revision

    async def again(manager):
        return cluster.store.revision

    before = everything(cluster, first)
    assert everything(cluster, again) == before


def test_a_namespace_with_everything_in_it_goes(cluster):
    cluster.node("worker")
    item = cluster.create("namespaces", {"metadata": {"name": "team"}})
    if not meta.spec(item).get("finalizers"):
        cluster.registry.update("namespaces", item | {"metadata": item["metadata"] | {"finalizers": ["kubernetes"]}})

    async def story(manager):
        cluster.create("deployments", {"metadata": {"name": "web"}, "spec": {
            "replicas": 2, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}},
                         "spec": {"containers": [{"name": "c", "image": "i"}]}}}}, "team")
        cluster.service("web", namespace="team", clusterIP=None, clusterIPs=None)
        await manager.settled()
        assert len(cluster.list("pods", "team")) == 2
        cluster.registry.delete("namespaces", "team")
        await manager.settled()
        for pod in cluster.list("pods", "team"):
            cluster.registry.delete("pods", meta.name(pod), namespace="team", grace_period=0)
        await manager.settled()
        assert cluster.gone("namespaces", "team", "")

    everything(cluster, story)


def test_a_controller_that_is_woken_as_it_is_stopped_stops():
    class Waiting(Controller):
        name, resources = "waiting", ("pods",)

        async def reconcile(self):
            return 60.0

    async def story():
        controller = Waiting(registry())
        manager = Manager([controller])
        manager.start()
        await manager.settled()
        await asyncio.sleep(0)
        controller.wake()
        await asyncio.sleep(0)  # the wait is over, and nobody has looked yet
        async with asyncio.timeout(10):
            await manager.stop()

    asyncio.run(story())
