"""A definition goes when its objects are gone; collectors and namespaces know its kind."""

from netlab.controllers.definitions import Definitions
from netlab.controllers.garbage_collector import GarbageCollector
from netlab.controllers.namespaces import Namespaces
from tests.api.test_custom_kinds import definition

CRDS, KEY = "customresourcedefinitions", "crontabs.stable.example.com"


def tab(name="a", namespace="default", **metadata):
    return {"metadata": {"name": name, "namespace": namespace, **metadata}, "spec": {"cronSpec": "* *"}}


def test_objects_go_with_their_definition(cluster):
    registry = cluster.registry
    registry.create(CRDS, definition())
    registry.create(KEY, tab())
    registry.create(KEY, tab("held", finalizers=["example.com/hold"]))

    async def story(manager):
        registry.delete(CRDS, KEY)
        await manager.settled()
        assert [item["metadata"]["name"] for item in registry.list(KEY)] == ["held"]
        assert registry.get(CRDS, KEY)["status"]["conditions"][-1]["reason"] == "InstanceDeletionCheck"
        held = registry.get(KEY, "held", "default")
        registry.update(KEY, held | {"metadata": {**held["metadata"], "finalizers": []}})
        await manager.settled()
        assert registry.find(CRDS, KEY) is None
        assert KEY not in registry.served.resources

    cluster.run(story, Definitions)


def test_namespaces_are_emptied_of_custom_objects(cluster):
    registry = cluster.registry

    async def story(manager):
        registry.create(CRDS, definition())
        registry.create("namespaces", {"metadata": {"name": "x"}})
        registry.create(KEY, tab(namespace="x"))
        await manager.settled()
        registry.delete("namespaces", "x")
        await manager.settled()
        assert registry.list(KEY) == []
        assert registry.find("namespaces", "x") is None

    cluster.run(story, Namespaces)


def test_dependents_of_and_among_custom_objects_are_collected(cluster):
    registry = cluster.registry

    async def story(manager):
        registry.create(CRDS, definition())
        owner = registry.create(KEY, tab())
        reference = {"apiVersion": "stable.example.com/v1", "kind": "CronTab", "name": "a",
                     "uid": owner["metadata"]["uid"]}
        registry.create(KEY, tab("b", ownerReferences=[reference]))
        registry.create("configmaps", {"metadata": {"name": "c", "namespace": "default",
                                                    "ownerReferences": [reference]}})
        await manager.settled()
        assert len(registry.list(KEY)) == 2
        registry.delete(KEY, "a", namespace="default")
        await manager.settled()
        assert registry.list(KEY) == []
        assert registry.find("configmaps", "c", "default") is None

    cluster.run(story, GarbageCollector)
