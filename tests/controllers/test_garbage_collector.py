import pytest

from netlab.controllers.garbage_collector import GarbageCollector
from netlab.model import meta


def make(cluster, name, *owners, finalizers=(), block=True):
    references = [{"apiVersion": "v1", "kind": "ConfigMap", "name": meta.name(o), "uid": meta.uid(o),
                   "blockOwnerDeletion": block} for o in owners]
    data = {"name": name} | ({"ownerReferences": references} if references else {}) \
        | ({"finalizers": list(finalizers)} if finalizers else {})
    return cluster.create("configmaps", {"metadata": data})


def delete(cluster, name, finalizer=""):
    """Deletes; with a finalizer as the API leaves an object whose deletion has to wait for the collector."""
    if finalizer:
        old = cluster.registry.get("configmaps", name, "default")
        cluster.registry.update("configmaps", old | {"metadata": old["metadata"] | {"finalizers": [finalizer]}})
    cluster.registry.delete("configmaps", name, namespace="default")


def maps(cluster):
    return [name for name in cluster.names("configmaps") if not name.startswith("kube-")]


def test_dependents_of_a_deleted_owner_go_down_to_the_last(cluster):
    a = make(cluster, "a")
    b = make(cluster, "b", a)
    make(cluster, "c", b)
    make(cluster, "other")

    async def story(manager):
        assert maps(cluster) == ["a", "b", "c", "other"]
        delete(cluster, "a")
        await manager.settled()
        assert maps(cluster) == ["other"]

    cluster.run(story, GarbageCollector)


def test_an_owner_made_anew_under_the_name_is_another_owner(cluster):
    a = make(cluster, "a")
    cluster.registry.delete("configmaps", "a", namespace="default")
    make(cluster, "a")
    make(cluster, "b", a)  # made after its owner went

    async def story(manager):
        assert maps(cluster) == ["a"]

    cluster.run(story, GarbageCollector)


def test_an_object_with_another_owner_stays(cluster):
    a, b = make(cluster, "a"), make(cluster, "b")
    make(cluster, "c", a, b)

    async def story(manager):
        delete(cluster, "a")
        await manager.settled()
        assert maps(cluster) == ["b", "c"]
        references = meta.metadata(cluster.registry.get("configmaps", "c", "default"))["ownerReferences"]
        assert [r["name"] for r in references] == ["b"]

    cluster.run(story, GarbageCollector)


def test_orphans_lose_their_owner_and_stay(cluster):
    a = make(cluster, "a")
    make(cluster, "b", a)

    async def story(manager):
        delete(cluster, "a", "orphan")
        await manager.settled()
        assert maps(cluster) == ["b"]
        assert not meta.metadata(cluster.registry.get("configmaps", "b", "default")).get("ownerReferences")

    cluster.run(story, GarbageCollector)


@pytest.mark.parametrize("block", [True, False])
def test_in_the_foreground_the_owner_waits_for_dependents_that_block_it(cluster, block):
    a = make(cluster, "a")
    make(cluster, "b", a, finalizers=["example.com/slow"], block=block)

    async def story(manager):
        delete(cluster, "a", "foregroundDeletion")
        await manager.settled()
        assert maps(cluster) == (["a", "b"] if block else ["b"])
        held = cluster.registry.get("configmaps", "b", "default")
        assert meta.is_deleting(held)
        cluster.registry.update("configmaps", held | {"metadata": held["metadata"] | {"finalizers": []}})
        await manager.settled()
        assert maps(cluster) == []

    cluster.run(story, GarbageCollector)
