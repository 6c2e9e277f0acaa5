from netlab.api.service_ranges import default_range
from netlab.controllers.service_cidrs import ServiceCIDRs
from netlab.model import meta


def test_a_range_stays_while_addresses_of_it_are_in_no_other(cluster):
    cluster.create("servicecidrs", default_range(cluster.registry))
    for name, text in (("small", "10.8.0.0/24"), ("spare", "10.9.0.0/24")):
        cluster.create("servicecidrs", {"metadata": {"name": name}, "spec": {"cidrs": [text]}})
    cluster.create("services", {"metadata": {"name": "web"},
                                "spec": {"clusterIP": "10.8.0.5", "ports": [{"port": 80}]}}, "default")

    async def story(manager):
        for name in ("small", "spare"):
            cluster.registry.delete("servicecidrs", name)
        await manager.settled()
        assert cluster.gone("servicecidrs", "spare", "")
        [told] = meta.status(cluster.registry.get("servicecidrs", "small"))["conditions"]
        assert (told["type"], told["status"], told["reason"]) == ("Ready", "False", "Terminating")
        assert told["message"].startswith("There are still IPAddresses referencing the ServiceCIDR")
        cluster.create("servicecidrs", {"metadata": {"name": "wide"}, "spec": {"cidrs": ["10.8.0.0/16"]}})
        await manager.settled()
        assert cluster.gone("servicecidrs", "small", "")
        assert cluster.registry.get("ipaddresses", "10.8.0.5")

    cluster.run(story, ServiceCIDRs)


def test_a_range_goes_with_the_last_service_of_it(cluster):
    cluster.create("servicecidrs", {"metadata": {"name": "small"}, "spec": {"cidrs": ["10.8.0.0/24"]}})
    cluster.create("services", {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}, "default")

    async def story(manager):
        cluster.registry.delete("servicecidrs", "small")
        await manager.settled()
        assert not cluster.gone("servicecidrs", "small", "")
        cluster.registry.delete("services", "web", namespace="default")
        await manager.settled()
        assert cluster.gone("servicecidrs", "small", "")

    cluster.run(story, ServiceCIDRs)
