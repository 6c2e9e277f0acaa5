from dns_objects import endpoints, namespace, service, view_of

from netlab.dns.view import Key, parse


def add(view, made, now=2):
    resource, manifest = made
    return view.with_object(resource, parse(resource, manifest), now=now)


def test_a_change_that_no_answer_shows_gives_the_same_view():
    made = service("web", "10.96.0.5")
    view = view_of(made)
    made[1]["metadata"] |= {"resourceVersion": "77", "annotations": {"a": "b"}}
    assert add(view, made) is view
    assert view.without_object("services", Key("default", "other"), now=2) is view
    assert view.with_list("services", [parse(*made)], now=2) is view


def test_a_change_that_answers_show_gives_a_view_of_that_second():
    view = view_of(service("web", "10.96.0.5"))
    new = add(view, service("web", "10.96.0.6"), now=99)
    assert (new.serial, dict(new.by_cluster_ip)) == (99, {"10.96.0.6": Key("default", "web")})
    assert dict(view.by_cluster_ip) == {"10.96.0.5": Key("default", "web")}


def test_an_address_that_moves_to_another_service_is_found_there():
    view = add(add(view_of(), service("a", "10.96.0.5")), service("b", "10.96.0.5"))
    view = view.without_object("services", Key("default", "a"), now=3)
    assert dict(view.by_cluster_ip) == {"10.96.0.5": Key("default", "b")}


def test_an_endpoint_in_two_slices_stays_until_both_are_gone():
    view = add(add(view_of(), endpoints("web", "10.244.1.5", suffix="a")), endpoints("web", "10.244.1.5", suffix="b"))
    view = view.without_object("endpointslices", Key("default", "web-a"), now=3)
    assert dict(view.by_endpoint_ip) == {"10.244.1.5": (Key("default", "web"),)}
    view = view.without_object("endpointslices", Key("default", "web-b"), now=4)
    assert (dict(view.by_endpoint_ip), dict(view.slices_of)) == ({}, {})


def test_a_slice_that_is_relabelled_moves_to_the_other_service():
    made = endpoints("web", "10.244.1.5")
    view = add(view_of(), made)
    made[1]["metadata"]["labels"]["kubernetes.io/service-name"] = "other"
    view = add(view, made)
    assert dict(view.by_endpoint_ip) == {"10.244.1.5": (Key("default", "other"),)}
    assert list(view.slices_of) == [Key("default", "other")]


def test_a_list_replaces_everything_and_syncs_when_all_are_listed():
    view = view_of(synced=False)
    for resource in ("namespaces", "services"):
        view = view.with_list(resource, [], now=1)
        assert not view.synced
    view = view.with_list("endpointslices", [parse(*endpoints("web", "10.244.1.5"))], now=1)
    assert view.synced
    view = view.with_list("endpointslices", [parse(*endpoints("db", "10.244.1.6"))], now=2)
    assert list(view.by_endpoint_ip) == ["10.244.1.6"]
    assert add(view, namespace("new")).has_namespace("new")


def test_readiness_that_is_not_said_means_ready():
    resource, manifest = endpoints("web", "10.244.1.5")
    del manifest["endpoints"][0]["conditions"]
    assert parse(resource, manifest).endpoints == (("10.244.1.5", ""),)
