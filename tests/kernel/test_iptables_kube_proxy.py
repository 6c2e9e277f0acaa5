import asyncio
import os
import subprocess

import pytest

from netlab.api.registry import Registry
from netlab.controllers.kube_proxy import KubeProxy
from netlab.controllers.runtime import Manager
from netlab.kernel.iptables import NodeTables
from netlab.model.lab_spec import LabSpec
from netlab.model.meta import ObjectKey
from netlab.store import Store
from tests.proxy.manifests import endpoint, endpoint_slice, service

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")]
NODES = ("n1", "n2", "n3")


@pytest.fixture
def tables():
    names = {node: f"nltdpk{os.getpid()}{node}" for node in NODES}
    try:
        for name in names.values():
            subprocess.run(["ip", "netns", "add", name], check=True)
        yield {node: NodeTables(name) for node, name in names.items()}
    finally:
        for name in names.values():
            subprocess.run(["ip", "netns", "del", name], check=False)


def test_three_nodes_follow_the_store_and_repair_what_was_flushed(tables):
    settings = {"iptables": {"syncPeriod": "200ms", "minSyncPeriod": "0s"}}
    registry = Registry(Store(), LabSpec(nodes=NODES, kube_proxy=settings))
    manager = Manager(KubeProxy(registry, node=node, tables=tables[node]) for node in NODES)

    def put(resource, manifest):
        registry.store.put(ObjectKey(resource, "default", manifest["metadata"]["name"]), manifest)

    async def story():
        manager.start()
        try:
            put("services", service("web", "10.96.45.10"))
            await manager.settled(10)
            assert all("default/web has no endpoints" in held.save() for held in tables.values())
            put("endpointslices", endpoint_slice("web", endpoint("10.244.1.10")))
            await manager.settled(10)
            right = tables["n2"].save()
            assert "--to-destination 10.244.1.10:8080" in right
            subprocess.run(["ip", "netns", "exec", tables["n2"].netns, "iptables-legacy", "-t", "nat", "-F"],
                           check=True)
            async with asyncio.timeout(10):
                while tables["n2"].save() != right:
                    await asyncio.sleep(0.02)
        finally:
            await manager.stop()
        assert tables["n2"].save() == right

    asyncio.run(story())
