import pytest

from netlab.api import rbac
from netlab.api.attributes import Attributes, of, refusal
from netlab.api.request import Request
from netlab.api.users import ADMIN, User, account_user
from netlab.model.errors import ApiError
from tests.api.objects import registry

APP = account_user("shop", "app")
OTHER = account_user("default", "app")
READ_PODS = {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}


def wish(verb, resource="pods", *, group="", namespace="shop", name="", sub=""):
    return Attributes(verb, group, resource, sub, namespace, name)


@pytest.fixture
def policy():
    made = registry()
    made.create("namespaces", {"metadata": {"name": "shop"}})
    made.create("roles", {"metadata": {"name": "reader", "namespace": "shop"}, "rules": [READ_PODS]})
    made.create("rolebindings", {
        "metadata": {"name": "app-reads", "namespace": "shop"}, "roleRef": {"kind": "Role", "name": "reader"},
        "subjects": [{"kind": "ServiceAccount", "name": "app", "namespace": "shop"}]})
    made.create("clusterroles", {"metadata": {"name": "nodes"}, "rules": [
        {"verbs": ["get"], "apiGroups": [""], "resources": ["nodes"], "resourceNames": ["worker"]},
        {"verbs": ["get"], "nonResourceURLs": ["/metrics", "/debug/*"]}]})
    made.create("clusterrolebindings", {
        "metadata": {"name": "all-accounts"}, "roleRef": {"kind": "ClusterRole", "name": "nodes"},
        "subjects": [{"kind": "Group", "name": "system:serviceaccounts"}, {"kind": "User", "name": "ann"}]})
    return made


@pytest.mark.parametrize(("user", "wanted", "allowed"), [
    (APP, wish("list"), True), (APP, wish("get", name="web"), True), (APP, wish("watch"), False),
    (APP, wish("delete", name="web"), False), (APP, wish("list", "services"), False),
    (APP, wish("list", group="apps"), False), (APP, wish("get", name="web", sub="log"), False),
    (APP, wish("list", namespace="default"), False), (APP, wish("list", namespace=""), False),
    (OTHER, wish("list"), False),
    (OTHER, wish("get", "nodes", namespace="", name="worker"), True),
    (OTHER, wish("get", "nodes", namespace="", name="worker2"), False),
    (OTHER, wish("get", "nodes", namespace=""), False),
    (User("ann"), wish("get", "nodes", namespace="", name="worker"), True),
    (User("bob"), wish("get", "nodes", namespace="", name="worker"), False),
    (APP, Attributes("get", path="/metrics"), True), (APP, Attributes("get", path="/debug/pprof"), True),
    (APP, Attributes("post", path="/metrics"), False), (APP, Attributes("get", path="/metrics/x"), False),
    (ADMIN, wish("delete", "anything", group="other.example"), True),
])
def test_a_binding_allows_what_its_role_says_and_no_more(policy, user, wanted, allowed):
    assert rbac.decide(policy, user, wanted)[0] is allowed


@pytest.mark.parametrize(("rule", "wanted", "fits"), [
    ({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}, wish("patch", "pods", sub="status"), True),
    ({"verbs": ["get"], "apiGroups": [""], "resources": ["pods/log"]}, wish("get", sub="log", name="a"), True),
    ({"verbs": ["get"], "apiGroups": [""], "resources": ["pods/log"]}, wish("get", name="a"), False),
    ({"verbs": ["get"], "apiGroups": [""], "resources": ["*/log"]}, wish("get", sub="log", name="a"), True),
    ({"verbs": ["get"], "apiGroups": [""], "resources": ["*/log"]}, wish("get", sub="status", name="a"), False),
    ({"verbs": ["get"]}, wish("get"), False),
])
def test_a_rule_fits_resource_and_subresource(rule, wanted, fits):
    assert rbac.matches(rule, wanted) is fits


def test_a_binding_to_a_role_that_is_not_there_says_so(policy):
    policy.delete("roles", "reader", namespace="shop")
    assert rbac.decide(policy, APP, wish("list")) == (
        False, 'RBAC: role.rbac.authorization.k8s.io "reader" not found')


def test_a_role_that_aggregates_takes_in_the_rules_of_others(policy):
    policy.create("clusterroles", {"metadata": {"name": "view"}, "rules": [], "aggregationRule": {
        "clusterRoleSelectors": [{"matchLabels": {"to-view": "true"}}]}})
    policy.create("rolebindings", {
        "metadata": {"name": "views", "namespace": "shop"}, "roleRef": {"kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "User", "name": "ann"}]})
    assert not rbac.decide(policy, User("ann"), wish("list"))[0]
    policy.create("clusterroles", {"metadata": {"name": "pods", "labels": {"to-view": "true"}}, "rules": [READ_PODS]})
    assert rbac.decide(policy, User("ann"), wish("list"))[0]


def test_who_allowed_it_is_told(policy):
    assert rbac.decide(policy, APP, wish("list"))[1] == (
        'RBAC: allowed by RoleBinding "app-reads/shop" of Role "reader" to ServiceAccount "app/shop"')


@pytest.mark.parametrize(("owned", "granted", "missing"), [
    ([READ_PODS], [READ_PODS], 0), ([READ_PODS], [{**READ_PODS, "verbs": ["get", "delete"]}], 1), ([], [READ_PODS], 2),
    ([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}], [{**READ_PODS, "verbs": ["*"]}], 0),
    ([READ_PODS], [{"verbs": ["get"], "apiGroups": [""], "resources": ["*"]}], 1),
    ([{**READ_PODS, "resourceNames": ["a"]}], [{**READ_PODS, "verbs": ["get"]}], 1),
    ([READ_PODS], [{**READ_PODS, "resourceNames": ["a"]}], 0),
    ([{"verbs": ["get"], "nonResourceURLs": ["/a/*"]}], [{"verbs": ["get"], "nonResourceURLs": ["/a/b", "/c"]}], 1),
])
def test_rules_that_nobody_has_are_found_one_by_one(owned, granted, missing):
    assert len(rbac.not_covered(owned, granted)) == missing


@pytest.mark.parametrize(("method", "target", "verb", "resource", "namespace", "name"), [
    ("GET", "/api/v1/pods", "list", "pods", "", ""),
    ("GET", "/api/v1/namespaces/a/pods?watch=true", "watch", "pods", "a", ""),
    ("GET", "/api/v1/namespaces/a/pods/web", "get", "pods", "a", "web"),
    ("GET", "/api/v1/namespaces/a/pods/web/log", "get", "pods/log", "a", "web"),
    ("POST", "/apis/apps/v1/namespaces/a/deployments", "create", "deployments", "a", ""),
    ("PATCH", "/apis/apps/v1/namespaces/a/deployments/d/scale", "patch", "deployments/scale", "a", "d"),
    ("DELETE", "/api/v1/namespaces/a/pods", "deletecollection", "pods", "a", ""),
    ("DELETE", "/api/v1/namespaces/a/pods/web", "delete", "pods", "a", "web"),
    ("GET", "/api/v1/namespaces", "list", "namespaces", "", ""),
    ("DELETE", "/api/v1/namespaces/a", "delete", "namespaces", "a", "a"),
    ("PUT", "/api/v1/namespaces/a/finalize", "update", "namespaces/finalize", "a", "a"),
    ("GET", "/api/v1/namespaces/a/pods?fieldSelector=metadata.name%3Dweb", "list", "pods", "a", "web"),
    ("GET", "/apis/example.com/v1/things/x", "get", "things", "", "x"),
])
def test_a_request_is_read_as_a_wish(method, target, verb, resource, namespace, name):
    found = of(Request.from_target(method, target, {}))
    assert (found.verb, found.combined, found.namespace, found.name, found.path) == (verb, resource, namespace, name,
                                                                                     "")


@pytest.mark.parametrize("target", ["/", "/api", "/api/v1", "/apis/apps", "/apis/apps/v1", "/version", "/netlab/v1/x"])
def test_other_paths_are_no_resources(target):
    assert of(Request.from_target("GET", target, {})) == Attributes("get", path=target)


@pytest.mark.parametrize(("wanted", "text"), [
    (wish("list"), 'pods is forbidden: User "u" cannot list resource "pods" in API group "" in the namespace "shop"'),
    (wish("get", name="a", sub="log"),
     'pods "a" is forbidden: User "u" cannot get resource "pods/log" in API group "" in the namespace "shop"'),
    (wish("list", "deployments", group="apps", namespace=""),
     'deployments.apps is forbidden: User "u" cannot list resource "deployments" in API group "apps" at the cluster '
     "scope"),
    (Attributes("get", path="/metrics"), 'forbidden: User "u" cannot get path "/metrics"'),
])
def test_refusals_are_worded_as_upstream(wanted, text):
    error = refusal("u", wanted)
    assert (error.code, error.message) == (403, text)


def test_check_raises_what_decide_denies(policy):
    rbac.check(policy, APP, wish("list"))
    with pytest.raises(ApiError, match="cannot delete resource"):
        rbac.check(policy, APP, wish("delete"))
