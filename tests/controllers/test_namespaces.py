from netlab.controllers.namespaces import Namespaces
from netlab.model import meta


def team(cluster):
    item = cluster.create("namespaces", {"metadata": {"name": "team"}})
    if not meta.spec(item).get("finalizers"):  # something has to hold it until it is empty
        cluster.registry.update("namespaces", item | {"metadata": item["metadata"] | {"finalizers": ["kubernetes"]}})


def test_a_deleted_namespace_is_emptied_and_then_gone(cluster):
    team(cluster)
    cluster.pod("a", namespace="team", nodeName="worker")
    cluster.service("web", namespace="team")
    cluster.create("configmaps", {"metadata": {"name": "c"}}, "team")
    cluster.create("configmaps", {"metadata": {"name": "c"}}, "default")

    async def story(manager):
        cluster.registry.delete("namespaces", "team")
        await manager.settled()
        assert cluster.list("services", "team") == []
        assert [c for c in cluster.names("configmaps", "team") if c != "kube-root-ca.crt"] == []
        pod = cluster.registry.get("pods", "a", "team")
        assert meta.is_deleting(pod)  # its kubelet has the last word
        assert not cluster.gone("namespaces", "team", "")
        cluster.registry.delete("pods", "a", namespace="team", grace_period=0)
        await manager.settled()
        assert cluster.gone("namespaces", "team", "")
        assert not cluster.gone("configmaps", "c")

    cluster.run(story, Namespaces)


def test_a_namespace_that_stays_says_what_is_left_in_it(cluster):
    team(cluster)
    cluster.create("configmaps", {"metadata": {"name": "held", "finalizers": ["example.com/mine"]}}, "team")

    async def story(manager):
        cluster.registry.delete("namespaces", "team")
        await manager.settled()
        item = cluster.registry.get("namespaces", "team")
        assert "deletionGracePeriodSeconds" not in item["metadata"]
        told = {c["type"]: (c["status"], c["message"]) for c in item["status"]["conditions"]}
        assert told["NamespaceContentRemaining"] == (
            "True", "Some resources are remaining: configmaps. has 1 resource instances")
        assert told["NamespaceFinalizersRemaining"] == (
            "True", "Some content in the namespace has finalizers remaining: example.com/mine in 1 resource instances")
        revision = cluster.store.revision
        cluster.create("configmaps", {"metadata": {"name": "elsewhere"}}, "default")
        await manager.settled()
        assert cluster.store.revision == revision + 1  # it is told once
        cluster.registry.patch("configmaps", "held", {"metadata": {"finalizers": None}}, namespace="team")
        await manager.settled()
        assert cluster.gone("namespaces", "team", "")

    cluster.run(story, Namespaces)
