"""What families and addresses a Service gets, in words of KEP-563: on creation, and when they change."""

import pytest

from netlab.api.registry import Registry
from netlab.model.errors import ApiError
from netlab.model.family import family_of
from netlab.model.lab_settings import parse
from netlab.store import Store
from tests.proxy.manifests import service

V4, V6, BOTH, SIX_FIRST = ["IPv4"], ["IPv6"], ["IPv4", "IPv6"], ["IPv6", "IPv4"]
SINGLE, PREFER, REQUIRE = "SingleStack", "PreferDualStack", "RequireDualStack"
SELECTED = {"selector": {"app": "web"}}


def registry(families):
    return Registry(Store(), parse({"ipFamilies": families}, name="lab"))


def made(families, **spec):
    lab = registry(families)
    manifest = service("web", spec.pop("clusterIP", ""), **SELECTED | spec)
    return lab, lab.create("services", manifest)


def shown(manifest):
    spec = manifest["spec"]
    return (spec["ipFamilyPolicy"], spec["ipFamilies"], [ip if ip == "None" else family_of(ip)
                                                         for ip in spec["clusterIPs"]])


@pytest.mark.parametrize(("families", "spec", "expected"), [
    (V4, {}, (SINGLE, V4, V4)),
    (V6, {}, (SINGLE, V6, V6)),
    (BOTH, {}, (SINGLE, V4, V4)),
    (SIX_FIRST, {}, (SINGLE, V6, V6)),
    (BOTH, {"ipFamilies": V6}, (SINGLE, V6, V6)),
    (BOTH, {"ipFamilyPolicy": PREFER}, (PREFER, BOTH, BOTH)),
    (SIX_FIRST, {"ipFamilyPolicy": REQUIRE}, (REQUIRE, SIX_FIRST, SIX_FIRST)),
    (BOTH, {"ipFamilyPolicy": PREFER, "ipFamilies": V6}, (PREFER, SIX_FIRST, SIX_FIRST)),
    (V4, {"ipFamilyPolicy": PREFER}, (PREFER, V4, V4)),
    (BOTH, {"clusterIP": "fd00:10:96::99"}, (SINGLE, V6, V6)),
    (BOTH, {"clusterIP": "fd00:10:96::99", "ipFamilyPolicy": PREFER}, (PREFER, SIX_FIRST, SIX_FIRST)),
    (BOTH, {"clusterIP": "None", "ipFamilyPolicy": PREFER}, (PREFER, BOTH, ["None"])),
    (BOTH, {"clusterIP": "None"}, (SINGLE, V4, ["None"])),
    (V4, {"clusterIP": "None", "selector": {}}, (REQUIRE, BOTH, ["None"])),  # who writes its endpoints may have both
    (V6, {"clusterIP": "None", "selector": {}, "ipFamilyPolicy": SINGLE}, (SINGLE, V6, ["None"])),
])
def test_a_service_gets_the_families_that_it_asks_for_and_the_cluster_has(families, spec, expected):
    assert shown(made(families, **spec)[1]) == expected


@pytest.mark.parametrize(("families", "spec", "message"), [
    (V4, {"ipFamilyPolicy": REQUIRE},
     'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services'),
    (V6, {"ipFamilies": V4}, 'spec.ipFamilies[0]: Invalid value: "IPv4": not configured on this cluster'),
    (V4, {"clusterIP": "fd00:10:96::99"},
     'spec.clusterIPs[0]: Invalid value: ["fd00:10:96::99"]: IPv6 is not configured on this cluster'),
    (BOTH, {"ipFamilies": BOTH, "ipFamilyPolicy": SINGLE},
     "spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' when "
     "multiple IP families are specified"),
    (BOTH, {"clusterIP": "fd00:10:97::1"},
     'spec.clusterIPs: Invalid value: ["fd00:10:97::1"]: failed to allocate IP fd00:10:97::1: the provided '
     "network does not match the current range"),
    (BOTH, {"clusterIP": "fd00:10:96::99", "ipFamilies": V4},
     'spec.clusterIPs[0]: Invalid value: "fd00:10:96::99": expected an IPv4 value as indicated by `ipFamilies[0]`'),
    (BOTH, {"ipFamilies": ["IPv4", "IPv4"], "ipFamilyPolicy": PREFER},
     'spec.ipFamilies[1]: Duplicate value: "IPv4"'),
])
def test_what_the_cluster_cannot_give_is_refused(families, spec, message):
    with pytest.raises(ApiError) as caught:
        made(families, **spec)
    assert message in [f"{cause['field']}: {cause['message']}" for cause in caught.value.details["causes"]]


def change(lab, **spec):
    before = lab.get("services", "web", "default")
    merged = {key: value for key, value in (before["spec"] | spec).items() if value is not None}
    return lab.update("services", before | {"spec": merged})


def test_the_second_family_comes_and_goes_with_the_policy_and_the_first_stays():
    lab, manifest = made(BOTH)
    first = manifest["spec"]["clusterIP"]
    for policy, families in ((PREFER, BOTH), (REQUIRE, BOTH), (SINGLE, V4), (REQUIRE, BOTH), (SINGLE, V4)):
        manifest = change(lab, ipFamilyPolicy=policy)
        assert shown(manifest) == (policy, families, families)
        assert manifest["spec"]["clusterIP"] == manifest["spec"]["clusterIPs"][0] == first


def test_an_address_that_was_given_back_can_be_asked_for_again():
    lab, _ = made(BOTH)
    second = change(lab, ipFamilyPolicy=PREFER)["spec"]["clusterIPs"][1]
    with pytest.raises(ApiError, match="provided IP is already allocated"):
        lab.create("services", service("other", second, **SELECTED))
    change(lab, ipFamilyPolicy=SINGLE)
    assert lab.create("services", service("other", second, **SELECTED))["spec"]["clusterIPs"] == [second]


@pytest.mark.parametrize(("spec", "message"), [
    ({"ipFamilies": V4}, "must be 'SingleStack' to release the secondary IP family"),
    ({"ipFamilies": SIX_FIRST}, r"expected an IPv6 value as indicated by `ipFamilies\[0\]`"),
])
def test_families_of_a_service_do_not_change_by_themselves(spec, message):
    lab, _ = made(BOTH, ipFamilyPolicy=PREFER)
    with pytest.raises(ApiError, match=message):
        change(lab, **spec)


def test_by_way_of_an_external_name_all_addresses_are_given_back_and_new_ones_are_chosen():
    lab, _ = made(BOTH, ipFamilyPolicy=PREFER)
    spec = change(lab, type="ExternalName", externalName="example.com")["spec"]
    assert not {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"} & spec.keys()
    assert shown(change(lab, type="ClusterIP", ipFamilyPolicy=REQUIRE)) == (REQUIRE, BOTH, BOTH)


def test_ipv6_addresses_come_from_the_upper_band():
    lab = registry(V6)
    for number in range(20):
        ip = lab.create("services", service(f"s{number}", "", **SELECTED))["spec"]["clusterIP"]
        assert 256 < int(ip.rpartition(":")[2], 16) <= 0xFFFF
