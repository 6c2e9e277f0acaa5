import pytest

from netlab.api.apply import LAST_APPLIED, last_applied, three_way_patch, with_last_applied
from netlab.api.patch import JSON_PATCH, MERGE, STRATEGIC, apply_patch
from netlab.model.errors import ApiError


def pod(*containers, **spec):
    return {"kind": "Pod", "spec": {"containers": list(containers), **spec}}


A, B, C = {"name": "a", "image": "1"}, {"name": "b", "image": "1"}, {"name": "c", "image": "1"}


@pytest.mark.parametrize(("target", "patch", "result"), [  # RFC 7386, appendix A
    ({"a": "b"}, {"a": "c"}, {"a": "c"}), ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}), ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
                                                         ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}), ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}), ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ({"a": "foo"}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
])
def test_merge_patch(target, patch, result):
    assert apply_patch(target, patch, MERGE, "Pod") == result


@pytest.mark.parametrize(("target", "patch", "result"), [  # RFC 6902, appendix A
    ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"baz": "qux", "foo": "bar"}),
    ({"foo": ["bar", "baz"]}, [{"op": "add", "path": "/foo/1", "value": "qux"}], {"foo": ["bar", "qux", "baz"]}),
    ({"foo": ["bar"]}, [{"op": "add", "path": "/foo/-", "value": ["abc"]}], {"foo": ["bar", ["abc"]]}),
    ({"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
    ({"foo": ["bar", "qux", "baz"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["bar", "baz"]}),
    ({"baz": "qux"}, [{"op": "replace", "path": "/baz", "value": "boo"}], {"baz": "boo"}),
    ({"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
     [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}],
     {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}}),
    ({"foo": ["all", "grass", "cows", "eat"]}, [{"op": "move", "from": "/foo/1", "path": "/foo/3"}],
     {"foo": ["all", "cows", "eat", "grass"]}),
    ({"baz": "qux", "foo": ["a", 2, "c"]},
     [{"op": "test", "path": "/baz", "value": "qux"}, {"op": "test", "path": "/foo/1", "value": 2}],
     {"baz": "qux", "foo": ["a", 2, "c"]}),
    ({"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}, {"op": "copy", "from": "/~1", "path": "/b"}],
     {"/": 9, "~1": 10, "b": 9}),
])
def test_json_patch(target, patch, result):
    assert apply_patch(target, patch, JSON_PATCH, "Pod") == result


@pytest.mark.parametrize(("patch", "code"), [
    ([{"op": "remove", "path": "/nope"}], 422), ([{"op": "replace", "path": "/nope", "value": 1}], 422),
    ([{"op": "test", "path": "/a", "value": True}], 422), ([{"op": "add", "path": "/list/9", "value": 1}], 422),
    ([{"op": "add", "path": "/a/b", "value": 1}], 422), ([{"op": "add", "path": "a", "value": 1}], 422),
    ([{"op": "zap", "path": "/a"}], 422), ([{"op": "add", "path": "/b"}], 422), ([1], 400), ({}, 400), (None, 400),
    ([{"op": "remove", "path": ""}], 400), ([{"op": "move", "from": "/list", "path": "/list/0"}], 422),
    ([{"op": "add", "path": "/list/01", "value": 1}], 422), ([{"op": "move", "path": "/a"}], 422),
    ([{"op": "test"}], 422),
])
def test_a_json_patch_that_does_not_fit_is_refused(patch, code):
    with pytest.raises(ApiError) as caught:
        apply_patch({"a": 1, "list": [1]}, patch, JSON_PATCH, "Pod")
    assert caught.value.code == code


@pytest.mark.parametrize(("target", "patch", "result"), [
    (pod(A, B), {"spec": {"containers": [{"name": "b", "image": "2"}]}}, pod(A, {"name": "b", "image": "2"})),
    (pod(A), {"spec": {"containers": [B]}}, pod(B, A)),  # what is new comes in front
    (pod(A, B), {"spec": {"containers": [C, A]}}, pod(C, A, B)),
    (pod(A, B, C), {"spec": {"containers": [C]}}, pod(A, B, C)),
    (pod(A, B), {"spec": {"containers": [{"name": "a", "$patch": "delete"}]}}, pod(B)),
    (pod(A, B), {"spec": {"containers": [{"$patch": "replace"}, C]}}, pod(C)),
    (pod(A, B), {"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}}, pod(B, A)),
    (pod(A, B), {"spec": {"$setElementOrder/containers": [{"name": "a"}, {"name": "c"}, {"name": "b"}],
                          "containers": [C]}}, pod(A, C, B)),
    (pod(A, tolerations=[{"key": "x"}]), {"spec": {"tolerations": [{"key": "y"}]}}, pod(A, tolerations=[{"key": "y"}])),
    (pod(A, nodeSelector={"a": "1", "b": "2"}), {"spec": {"nodeSelector": {"a": None}}},
     pod(A, nodeSelector={"b": "2"})),
    (pod(A, nodeSelector={"a": "1"}), {"spec": {"nodeSelector": {"$patch": "replace", "c": "3"}}},
     pod(A, nodeSelector={"c": "3"})),
    (pod(A, nodeSelector={"a": "1"}), {"spec": {"nodeSelector": {"$patch": "delete"}}}, pod(A)),
    (pod(A, volumes=[{"name": "v", "emptyDir": {}}]),
     {"spec": {"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}]}},
     pod(A, volumes=[{"name": "v", "hostPath": {"path": "/x"}}])),
    ({"metadata": {"finalizers": ["a", "b"]}}, {"metadata": {"finalizers": ["c"]}},
     {"metadata": {"finalizers": ["c", "a", "b"]}}),
    ({"metadata": {"finalizers": ["a", "b"]}}, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}},
     {"metadata": {"finalizers": ["b"]}}),
    (pod(A | {"env": [{"name": "X", "value": "1"}]}),
     {"spec": {"containers": [{"name": "a", "env": [{"name": "Y", "value": "2"}]}]}},
     pod(A | {"env": [{"name": "Y", "value": "2"}, {"name": "X", "value": "1"}]})),
    (pod(A | {"args": ["x"]}), {"spec": {"containers": [{"name": "a", "args": ["y", "z"]}]}},
     pod(A | {"args": ["y", "z"]})),
    ({"status": {"conditions": [{"type": "Ready", "status": "False"}]}},
     {"status": {"conditions": [{"type": "Ready", "status": "True"}]}},
     {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}),
])
def test_strategic_merge_patch(target, patch, result):
    assert apply_patch(target, patch, STRATEGIC, "Pod") == result


def test_service_ports_merge_by_port_number():
    old = {"spec": {"ports": [{"port": 80, "nodePort": 30080}, {"port": 81}]}}
    new = apply_patch(old, {"spec": {"ports": [{"port": 80, "targetPort": 8080}]}}, STRATEGIC, "Service")
    assert new["spec"]["ports"] == [{"port": 80, "nodePort": 30080, "targetPort": 8080}, {"port": 81}]


@pytest.mark.parametrize("patch", [
    {"spec": {"containers": [{"image": "2"}]}}, {"spec": {"containers": ["a"]}}, {"spec": {"$patch": "zap"}},
    {"spec": {"$setElementOrder/containers": 1}}, [], "x", None,
])
def test_a_malformed_strategic_patch_is_refused(patch):
    with pytest.raises(ApiError) as caught:
        apply_patch(pod(A), patch, STRATEGIC, "Pod")
    assert caught.value.code == 400


def test_an_unknown_patch_type_is_refused():
    with pytest.raises(ApiError) as caught:
        apply_patch(pod(A), {}, "application/json", "Pod")
    assert caught.value.code == 415


@pytest.mark.parametrize(("before", "wanted", "live", "result"), [
    (pod(A), pod(A), pod(A | {"imagePullPolicy": "Always"}), {}),
    (pod(A), pod(A | {"image": "2"}), pod(A),
     {"spec": {"$setElementOrder/containers": [{"name": "a"}], "containers": [{"name": "a", "image": "2"}]}}),
    (pod(A, B), pod(A), pod(A, B),
     {"spec": {"$setElementOrder/containers": [{"name": "a"}], "containers": [{"$patch": "delete", "name": "b"}]}}),
    (pod(A), pod(A), pod(A, B), {}),  # b is somebody else's
    (pod(A, nodeSelector={"a": "1"}), pod(A), pod(A, nodeSelector={"a": "1"}), {"spec": {"nodeSelector": None}}),
    (pod(A), pod(A), pod(A, nodeSelector={"a": "1"}), {}),
    (pod(A), pod(A, tolerations=[{"key": "x"}]), pod(A), {"spec": {"tolerations": [{"key": "x"}]}}),
    (pod(A), pod(A), pod(A | {"image": "edited"}),
     {"spec": {"$setElementOrder/containers": [{"name": "a"}], "containers": [{"name": "a", "image": "1"}]}}),
])
def test_apply_sets_what_is_wanted_and_removes_what_was(before, wanted, live, result):
    patch = three_way_patch(before, wanted, live)
    assert patch == result
    new = apply_patch(live, patch, STRATEGIC, "Pod")
    assert three_way_patch(wanted, wanted, new) == {}


def test_the_annotation_is_written_as_kubectl_writes_it():
    made = with_last_applied({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "a"}})
    assert made["metadata"]["annotations"][LAST_APPLIED] == \
        '{"apiVersion":"v1","kind":"Pod","metadata":{"annotations":{},"name":"a"}}\n'
    assert last_applied(made)["metadata"] == {"annotations": {}, "name": "a"}
    assert with_last_applied(made) == made
    assert last_applied({"metadata": {"annotations": {LAST_APPLIED: "{"}}}) == {}
