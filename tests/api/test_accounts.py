"""ServiceAccounts through the handlers: their tokens, what they may, what they may give."""

import base64
import json

import pytest

from netlab.api.handlers import Api
from netlab.api.request import Request
from netlab.api.tokens import Issuer
from netlab.api.users import ADMIN, account_user
from tests.api.objects import NOW, pod, registry

RBAC = "/apis/rbac.authorization.k8s.io/v1"
NS = "/api/v1/namespaces/default"
APP = account_user("default", "app")
READER = {"metadata": {"name": "reader"}, "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]}


@pytest.fixture
def api():
    made = registry()
    made.issuer = Issuer(b"k" * 32, "https://kubernetes.default.svc.cluster.local")
    for name in ("default", "app"):
        made.create("serviceaccounts", {"metadata": {"name": name, "namespace": "default"}})
    return Api(made)


def ask(api, method, target, body=None, *, user=ADMIN):
    answer = api.handle(Request.from_target(method, target, {}, b"" if body is None else json.dumps(body).encode(),
                                            user=user))
    return answer.code, json.loads(answer.body)


def allow(api, name, rules, subject="app"):
    ask(api, "POST", f"{RBAC}/namespaces/default/roles", {"metadata": {"name": name}, "rules": rules})
    binding = {"metadata": {"name": name}, "roleRef": {"kind": "Role", "name": name},
               "subjects": [{"kind": "ServiceAccount", "name": subject, "namespace": "default"}]}
    assert ask(api, "POST", f"{RBAC}/namespaces/default/rolebindings", binding)[0] == 201


def test_an_account_may_nothing_until_a_binding_says_so(api):
    code, status = ask(api, "GET", f"{NS}/pods", user=APP)
    assert (code, status["reason"], status["details"]) == (403, "Forbidden", {"kind": "pods"})
    allow(api, "reader", READER["rules"] + [{"verbs": ["list"], "apiGroups": [""], "resources": ["pods"]}])
    assert ask(api, "GET", f"{NS}/pods", user=APP)[0] == 200
    assert ask(api, "GET", "/api/v1/pods", user=APP)[0] == 403
    assert ask(api, "POST", f"{NS}/pods", pod(), user=APP)[0] == 403
    assert api.registry.list("pods") == []


def test_what_it_may_patch_it_may_not_therefore_create(api):
    allow(api, "patcher", [{"verbs": ["patch"], "apiGroups": [""], "resources": ["configmaps"]}])
    request = Request.from_target("PATCH", f"{NS}/configmaps/a?fieldManager=x",
                                  {"content-type": "application/apply-patch+yaml"}, b"data: {x: y}", user=APP)
    assert (api.handle(request).code, api.registry.find("configmaps", "a", "default")) == (403, None)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_nobody_gives_what_he_has_not(api, method):
    allow(api, "roles", [{"verbs": ["create", "update", "patch", "get"], "resources": ["roles", "rolebindings"],
                          "apiGroups": ["rbac.authorization.k8s.io"]}])
    target = f"{RBAC}/namespaces/default/roles"
    if method != "POST":
        ask(api, "POST", target, READER | {"rules": []})
        target += "/reader"
    headers = {"content-type": "application/merge-patch+json"} if method == "PATCH" else {}
    answer = api.handle(Request.from_target(method, target, headers, json.dumps(READER).encode(), user=APP))
    assert answer.code == 403
    message = json.loads(answer.body)["message"]
    assert "is attempting to grant RBAC permissions not currently held:\n" in message
    assert message.endswith('{APIGroups:[""], Resources:["pods"], Verbs:["get"]}')
    assert (api.registry.find("roles", "reader", "default") or {"rules": []})["rules"] == []
    allow(api, "pods", READER["rules"])
    assert api.handle(Request.from_target(method, target, headers, json.dumps(READER).encode(), user=APP)).code < 300


def test_who_may_bind_may_bind_only_what_he_has(api):
    allow(api, "binder", [{"verbs": ["create"], "resources": ["rolebindings"],
                           "apiGroups": ["rbac.authorization.k8s.io"]}])
    ask(api, "POST", f"{RBAC}/clusterroles", {"metadata": {"name": "all"}, "rules": [
        {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]})
    binding = {"metadata": {"name": "b"}, "roleRef": {"kind": "ClusterRole", "name": "all"},
               "subjects": [{"kind": "ServiceAccount", "name": "app", "namespace": "default"}]}
    assert ask(api, "POST", f"{RBAC}/namespaces/default/rolebindings", binding, user=APP)[0] == 403


def token(api, **spec):
    return ask(api, "POST", f"{NS}/serviceaccounts/app/token", {"spec": spec})


def test_a_token_names_its_account_and_ends(api):
    code, made = token(api)
    assert (code, made["spec"]["expirationSeconds"]) == (201, 3600)
    assert made["status"]["expirationTimestamp"] == "2026-01-02T04:04:05Z"
    text, now = made["status"]["token"], NOW.timestamp()
    claims = json.loads(base64.urlsafe_b64decode(text.split(".")[1] + "=="))
    assert claims["sub"] == "system:serviceaccount:default:app"
    issuer = api.registry.issuer
    user = issuer.user(text, api.registry, now=now)
    assert user.name == "system:serviceaccount:default:app"
    assert user.groups == ("system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated")
    assert issuer.user(text, api.registry, now=now + 3600) is None
    assert issuer.user(text, api.registry, now=now - 1) is None
    assert Issuer(b"x" * 32, issuer.name).user(text, api.registry, now=now) is None


@pytest.mark.parametrize("change", [
    lambda text: text[:-2], lambda text: text + "A", lambda text: "." + text, lambda text: text.replace(".", "", 1),
    lambda text: "é" + text, lambda text: "", lambda text: "..",
    lambda text: ".".join([base64.urlsafe_b64encode(b'{"alg":"none"}').decode(), text.split(".")[1], ""])])
def test_a_token_that_was_changed_is_none(api, change):
    text = token(api)[1]["status"]["token"]
    assert api.registry.issuer.user(change(text), api.registry, now=NOW.timestamp()) is None


def test_a_token_goes_with_its_account_and_its_pod(api):
    api.registry.create("pods", pod(serviceAccountName="app"))
    plain = token(api)[1]["status"]["token"]
    code, made = token(api, boundObjectRef={"kind": "Pod", "name": "web"})
    bound = made["status"]["token"]
    issuer, now = api.registry.issuer, NOW.timestamp()
    assert code == 201
    assert issuer.user(bound, api.registry, now=now).extra["authentication.kubernetes.io/pod-name"] == ("web",)
    api.registry.delete("pods", "web", namespace="default", grace_period=0)
    api.registry.create("pods", pod(serviceAccountName="app"))
    assert issuer.user(bound, api.registry, now=now) is None
    api.registry.delete("serviceaccounts", "app", namespace="default")
    api.registry.create("serviceaccounts", {"metadata": {"name": "app", "namespace": "default"}})
    assert issuer.user(plain, api.registry, now=now) is None


def test_a_token_for_others_does_not_open_the_api(api):
    text = token(api, audiences=["vault"])[1]["status"]["token"]
    issuer, now = api.registry.issuer, NOW.timestamp()
    assert issuer.user(text, api.registry, now=now) is None
    assert issuer.user(text, api.registry, now=now, audiences=("vault",)) is not None
    review = {"spec": {"token": text, "audiences": ["vault"]}}
    _, answer = ask(api, "POST", "/apis/authentication.k8s.io/v1/tokenreviews", review)
    assert (answer["status"]["authenticated"], answer["status"]["audiences"]) == (True, ["vault"])


@pytest.mark.parametrize(("seconds", "text"), [
    (599, "may not specify a duration less than 10 minutes"),
    (1 << 33, "may not specify a duration larger than 2^32 seconds")])
def test_durations_have_limits(api, seconds, text):
    code, status = token(api, expirationSeconds=seconds)
    assert (code, text in status["message"]) == (422, True)


def mounted(made):
    return [mount["mountPath"] for mount in made["spec"]["containers"][0].get("volumeMounts") or ()]


def test_a_pod_gets_token_certificate_and_namespace(api):
    made = api.registry.create("pods", pod())
    assert mounted(made) == ["/var/run/secrets/kubernetes.io/serviceaccount"]
    volume = made["spec"]["volumes"][0]
    assert volume["name"].startswith("kube-api-access-")
    assert [next(iter(source)) for source in volume["projected"]["sources"]] == [
        "serviceAccountToken", "configMap", "downwardAPI"]


def test_pod_and_account_may_do_without(api):
    assert mounted(api.registry.create("pods", pod("a", automountServiceAccountToken=False))) == []
    api.registry.patch("serviceaccounts", "app", {"automountServiceAccountToken": False}, namespace="default")
    assert mounted(api.registry.create("pods", pod("b", serviceAccountName="app"))) == []
    assert mounted(api.registry.create("pods", pod("c", serviceAccountName="app", automountServiceAccountToken=True)))


def test_a_pod_needs_the_account_that_it_names(api):
    code, status = ask(api, "POST", f"{NS}/pods", pod(serviceAccountName="ghost"))
    assert (code, status["message"]) == (403, 'pods "web" is forbidden: error looking up service account '
                                              'default/ghost: serviceaccount "ghost" not found')


def may(api, user, **attributes):
    target = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    return ask(api, "POST", target, {"spec": {"resourceAttributes": attributes}}, user=user)[1]["status"]["allowed"]


def test_reviews_say_what_will_happen(api):
    ask(api, "POST", f"{RBAC}/clusterroles", {"metadata": {"name": "ask"}, "rules": [
        {"verbs": ["create"], "apiGroups": ["authorization.k8s.io", "authentication.k8s.io"], "resources": ["*"]}]})
    ask(api, "POST", f"{RBAC}/clusterrolebindings", {
        "metadata": {"name": "ask"}, "roleRef": {"kind": "ClusterRole", "name": "ask"},
        "subjects": [{"kind": "Group", "name": "system:authenticated"}]})
    allow(api, "reader", READER["rules"])
    assert may(api, APP, verb="get", resource="pods", namespace="default")
    assert not may(api, APP, verb="delete", resource="pods", namespace="default")
    assert may(api, ADMIN, verb="*", resource="*")
    _, who = ask(api, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {}, user=APP)
    assert who["status"]["userInfo"]["username"] == APP.name
    _, rules = ask(api, "POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
                   {"spec": {"namespace": "default"}}, user=APP)
    assert READER["rules"][0] in rules["status"]["resourceRules"]
    other = {"spec": {"user": APP.name, "resourceAttributes": {"verb": "get", "resource": "pods",
                                                               "namespace": "default"}}}
    assert ask(api, "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", other)[1]["status"]["allowed"]


@pytest.mark.parametrize(("given", "audiences", "user"), [
    ("admin", [], "kubernetes-admin"), ("admin", ["https://kubernetes.default.svc.cluster.local"], "kubernetes-admin"),
    ("admin", ["vault"], None), ("other", [], None), ("ådmin", [], None),
])
def test_a_review_knows_the_administrators_token(api, given, audiences, user):
    api.registry.issuer = Issuer(b"k" * 32, "https://kubernetes.default.svc.cluster.local", admin="admin")
    code, review = ask(api, "POST", "/apis/authentication.k8s.io/v1/tokenreviews",
                       {"spec": {"token": given, "audiences": audiences}})
    assert code == 201
    assert review["status"]["user"].get("username") == user
    assert review["status"].get("authenticated", False) == (user is not None)
