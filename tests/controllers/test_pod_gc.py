"""Pods of nodes that are not there."""

import asyncio

import pytest

from netlab.controllers import pod_gc
from netlab.controllers.pod_gc import PodGC


@pytest.fixture(autouse=True)
def _short_quarantine(monkeypatch):
    monkeypatch.setattr(pod_gc, "QUARANTINE", 0.02)


async def until(holds):
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.005)


def names(cluster):
    return [pod["metadata"]["name"] for pod in cluster.list("pods")]


def test_a_pod_of_no_node_goes_and_others_stay(cluster):
    cluster.node("worker")
    cluster.pod("lost", nodeName="nowhere")
    cluster.pod("placed", nodeName="worker")
    cluster.pod("waiting")

    async def story(manager):
        await until(lambda: names(cluster) == ["placed", "waiting"])

    cluster.run(story, PodGC)


def test_pods_go_some_time_after_their_node(cluster):
    cluster.node("worker")
    cluster.pod("a", nodeName="worker")

    async def story(manager):
        assert names(cluster) == ["a"]
        cluster.registry.delete("nodes", "worker")
        await until(lambda: names(cluster) == [])

    cluster.run(story, PodGC)


def test_a_node_that_comes_in_time_saves_its_pods(cluster, monkeypatch):
    monkeypatch.setattr(pod_gc, "QUARANTINE", 60.0)
    cluster.pod("early", nodeName="worker")

    async def story(manager):
        assert names(cluster) == ["early"]
        cluster.node("worker")
        await manager.settled()
        assert manager.controllers["pod-garbage-collector"]._missing_since == {}

    cluster.run(story, PodGC)
