import pytest

from netlab.controllers.neighbours import AFFINITY, ANTI_AFFINITY, NO_LABEL, OTHERS_ANTI_AFFINITY, SPREAD, Neighbours

NODES = [{"metadata": {"name": name, "labels": {"zone": zone, "host": name} if zone else {"host": name}}}
         for name, zone in (("a1", "a"), ("a2", "a"), ("b1", "b"), ("x", ""))]
WEB = {"labelSelector": {"matchLabels": {"app": "web"}}}


def pod(app, node="", namespace="default", **spec):
    return {"metadata": {"name": app, "namespace": namespace, "labels": {"app": app}},
            "spec": {"nodeName": node, **spec}}


def required(kind, key, **term):
    return {"affinity": {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [WEB | {"topologyKey": key} | term]}}}


def spread(key, skew=1, **more):
    return {"topologySpreadConstraints": [WEB | {"topologyKey": key, "maxSkew": skew} | more]}


@pytest.mark.parametrize(("spec", "others", "expected"), [
    (spread("zone"), ["a1"], (SPREAD, SPREAD, "", NO_LABEL)),
    (spread("zone", 2), ["a1"], ("", "", "", NO_LABEL)),
    (spread("zone"), ["a1", "b1"], ("", "", "", NO_LABEL)),
    (spread("host"), ["a1", "a2"], (SPREAD, SPREAD, "", "")),
    (spread("zone", whenUnsatisfiable="ScheduleAnyway"), ["a1"], ("", "", "", "")),
    (spread("zone", minDomains=3), ["a1", "b1"], (SPREAD, SPREAD, SPREAD, NO_LABEL)),
    (required("podAntiAffinity", "host"), ["a1"], (ANTI_AFFINITY, "", "", "")),
    (required("podAntiAffinity", "zone"), ["a1"], (ANTI_AFFINITY, ANTI_AFFINITY, "", "")),
    (required("podAffinity", "zone"), ["a1"], ("", "", AFFINITY, AFFINITY)),
    (required("podAffinity", "zone"), [], ("", "", "", AFFINITY)),  # the first of its group
    (required("podAffinity", "zone", namespaces=["other"]), ["a1"], (AFFINITY,) * 4),
    ({}, ["a1"], ("", "", "", "")),
])
def test_a_pod_goes_where_its_rules_about_others_allow(spec, others, expected):
    placed = [pod("web", node) for node in others]
    near = Neighbours(pod("web", **spec), NODES, lambda space: placed if space == "default" else [], [])
    assert tuple(near.obstacle(node) for node in NODES) == expected


def test_pods_that_are_there_keep_others_away():
    hermit = pod("hermit", "a1", **required("podAntiAffinity", "zone"))
    near = Neighbours(pod("web"), NODES, lambda space: [hermit], [hermit])
    assert [near.obstacle(node) for node in NODES] == [OTHERS_ANTI_AFFINITY, OTHERS_ANTI_AFFINITY, "", ""]
    near = Neighbours(pod("db"), NODES, lambda space: [hermit], [hermit])
    assert [near.obstacle(node) for node in NODES] == ["", "", "", ""]


def test_soft_rules_rank_nodes():
    placed = [pod("web", "a1"), pod("web", "a1"), pod("web", "b1")]
    near = Neighbours(pod("web", **spread("host", whenUnsatisfiable="ScheduleAnyway")), NODES, lambda space: placed, [])
    assert [near.preference(node) for node in NODES] == [-2, 0, -1, 0]
    wish = {"weight": 10, "podAffinityTerm": WEB | {"topologyKey": "zone"}}
    apart = {"affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [wish]}}}
    near = Neighbours(pod("web", **apart), NODES, lambda space: placed, [])
    assert [near.preference(node) for node in NODES] == [-20, -20, -10, 0]
