import asyncio

import pytest

from netlab.controllers.index import Index
from netlab.controllers.per_object import PerObject
from netlab.controllers.runtime import Manager
from netlab.model import meta
from netlab.model.errors import ApiError, LabError


class Recorder(PerObject):
    name = "recorder"
    resources = ("configmaps",)

    def __init__(self, registry):
        super().__init__(registry)
        self.index = Index(self.store, "configmaps", lambda m: [(meta.namespace(m), meta.name(m))])
        self.seen, self.broken, self.delay = [], None, None

    def changed(self):
        return self.index.take_touched()

    def sync(self, namespace, name):
        if name == "bad" and self.broken:
            raise self.broken
        self.seen.append(name)
        return self.delay


def configmap(cluster, name):
    cluster.create("configmaps", {"metadata": {"name": name}})


def story(cluster, tell):
    recorder = Recorder(cluster.registry)

    async def main():
        manager = Manager([recorder])
        manager.start()
        try:
            await tell(manager, recorder)
        finally:
            await manager.stop()

    asyncio.run(main())


def test_only_what_changed_is_looked_at(cluster):
    async def tell(manager, recorder):
        configmap(cluster, "a")
        configmap(cluster, "b")
        await manager.settled()
        recorder.seen.clear()
        cluster.registry.delete("configmaps", "b", namespace="default")
        await manager.settled()
        assert recorder.seen == ["b"]

    story(cluster, tell)


def test_a_failure_stops_no_other_is_told_and_tried_again(cluster):
    async def tell(manager, recorder):
        await manager.settled()
        recorder.broken = LabError("no way")
        for name in ("bad", "good"):
            configmap(cluster, name)
        with pytest.raises(LabError, match="recorder \\(LabError: default/bad: no way\\)"):
            await manager.settled(0.05)
        assert "good" in recorder.seen
        recorder.broken = None
        await manager.settled()
        assert "bad" in recorder.seen

    story(cluster, tell)


def test_what_cannot_be_made_in_a_namespace_that_goes_is_no_failure(cluster):
    async def tell(manager, recorder):
        recorder.broken = ApiError(403, "Forbidden", "x", details={"causes": [{"reason": "NamespaceTerminating"}]})
        configmap(cluster, "bad")
        await manager.settled(1)

    story(cluster, tell)


def test_an_object_is_looked_at_again_when_its_time_has_come(cluster):
    async def tell(manager, recorder):
        recorder.delay = 0.01
        configmap(cluster, "a")
        async with asyncio.timeout(2):
            while recorder.seen.count("a") < 3:
                await asyncio.sleep(0)

    story(cluster, tell)


def test_an_index_that_missed_more_than_the_history_starts_again(cluster):
    cluster.store._history_limit = 5
    index = Index(cluster.store, "configmaps", lambda m: [meta.name(m)])
    configmap(cluster, "first")
    assert index.count("first") == 1
    cluster.registry.delete("configmaps", "first", namespace="default")
    for number in range(30):
        configmap(cluster, f"c{number}")
    assert (index.count("first"), index.count("c29")) == (0, 1)
    assert {"first", "c0"} <= index.take_touched()
    assert index.take_touched() == set()
