"""Roles, Ingresses, NetworkPolicies, quotas, leases: what is refused, in which words, and how the rest is printed."""

import json

import pytest

from netlab.api.handlers import Api
from netlab.api.request import Request
from netlab.model.errors import ApiError
from tests.api.objects import registry

GROUPS = {"roles": "rbac.authorization.k8s.io", "rolebindings": "rbac.authorization.k8s.io",
          "clusterrolebindings": "rbac.authorization.k8s.io", "ingresses": "networking.k8s.io",
          "ingressclasses": "networking.k8s.io", "networkpolicies": "networking.k8s.io",
          "leases": "coordination.k8s.io"}
WEB = {"service": {"name": "web", "port": {"number": 80}}}


def named(**fields):
    return {"metadata": {"name": "a"}, **fields}


def policy(**spec):
    return named(spec=spec)


def from_(*peers):
    return policy(ingress=[{"from": list(peers)}])


def port(**fields):
    return policy(ingress=[{"ports": [fields]}])


def path(backend=None, **fields):
    return named(spec={"rules": [{"http": {"paths": [{"backend": backend or WEB, **fields}]}}]})


RULES = [
    ("networkpolicies", port(port=80, endPort=79),
     "spec.ingress[0].ports[0].endPort: Invalid value: 80: must be greater than or equal to `port`"),
    ("networkpolicies", port(port="http", endPort=90),
     "spec.ingress[0].ports[0].endPort: Invalid value: 90: may not be specified when `port` is non-numeric"),
    ("networkpolicies", port(endPort=90),
     "spec.ingress[0].ports[0].endPort: Invalid value: 90: may not be specified when `port` is not specified"),
    ("networkpolicies", port(protocol="ICMP"), 'spec.ingress[0].ports[0].protocol: Unsupported value: "ICMP": '
     'supported values: "SCTP", "TCP", "UDP"'),
    ("networkpolicies", from_({}), "spec.ingress[0].from[0]: Required value: must specify a peer"),
    ("networkpolicies", from_({"podSelector": {}, "ipBlock": {"cidr": "10.0.0.0/8"}}),
     "spec.ingress[0].from[0]: Forbidden: may not specify both ipBlock and another peer"),
    ("networkpolicies", from_({"ipBlock": {}}), "spec.ingress[0].from[0].ipBlock.cidr: Required value"),
    ("networkpolicies", from_({"ipBlock": {"cidr": "10.0.0.0"}}), 'spec.ingress[0].from[0].ipBlock.cidr: Invalid '
     'value: "10.0.0.0": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'),
    ("networkpolicies", from_({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"]}}),
     'spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: "11.0.0.0/16": must be a strict subset of `cidr`'),
    ("networkpolicies", policy(policyTypes=["Both"]),
     'spec.policyTypes[0]: Unsupported value: "Both": supported values: "Egress", "Ingress"'),
    ("networkpolicies", policy(policyTypes=["Ingress", "Egress", "Ingress"]),
     "may not specify more than two policyTypes"),
    ("ingresses", named(spec={}), "spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"),
    ("ingresses", path(path="/"), "spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified"),
    ("ingresses", path(path="foo", pathType="Prefix"),
     'spec.rules[0].http.paths[0].path: Invalid value: "foo": must be an absolute path'),
    ("ingresses", path(path="/a//b", pathType="Exact"),
     """spec.rules[0].http.paths[0].path: Invalid value: "/a//b": must not contain '//'"""),
    ("ingresses", path({"service": {"name": "web"}}, path="/", pathType="Prefix"),
     "spec.rules[0].http.paths[0].backend: Required value: port name or number is required"),
    ("ingresses", path({"service": {"name": "web", "port": {"name": "a", "number": 1}}}, path="/", pathType="Prefix"),
     'spec.rules[0].http.paths[0].backend: Invalid value: "": cannot set both port name & port number'),
    ("ingresses", path({"x": 1}, path="/", pathType="Prefix"), "resource or service backend is required"),
    ("ingresses", named(spec={"rules": [{"host": "10.0.0.1"}]}),
     'spec.rules[0].host: Invalid value: "10.0.0.1": must be a DNS name, not an IP address'),
    ("ingresses", named(spec={"rules": [{"host": "a.*.com"}]}), "a wildcard DNS-1123 subdomain must start with '*.'"),
    ("ingressclasses", named(spec={}), "spec.controller: Required value"),
    ("ingressclasses", named(spec={"controller": "x"}),
     'spec.controller: Invalid value: "x": must be a domain-prefixed path (such as "acme.io/foo")'),
    ("roles", named(rules=[{"apiGroups": [""], "resources": ["pods"]}]),
     "rules[0].verbs: Required value: verbs must contain at least one value"),
    ("roles", named(rules=[{"verbs": ["get"], "nonResourceURLs": ["/x"]}]),
     'rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs'),
    ("roles", named(rules=[{"verbs": ["get"], "apiGroups": [""]}]),
     "rules[0].resources: Required value: resource rules must supply at least one resource"),
    ("rolebindings", named(roleRef={"kind": "Rule", "name": "x"}),
     'roleRef.kind: Unsupported value: "Rule": supported values: "ClusterRole", "Role"'),
    ("clusterrolebindings", named(roleRef={"kind": "ClusterRole", "name": "x"},
                                  subjects=[{"kind": "ServiceAccount", "name": "a"}]),
     "subjects[0].namespace: Required value"),
    ("leases", named(spec={"leaseDurationSeconds": 0}),
     "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"),
]


@pytest.mark.parametrize(("resource", "manifest", "text"), RULES, ids=[text for _, _, text in RULES])
def test_what_is_wrong_is_said_as_upstream_says_it(resource, manifest, text):
    with pytest.raises(ApiError) as caught:
        registry().create(resource, manifest)
    assert caught.value.code == 422
    assert text in caught.value.message


def test_a_bindings_role_stays():
    made = registry()
    made.create("rolebindings", named(roleRef={"kind": "Role", "name": "x"}))
    with pytest.raises(ApiError, match="cannot change roleRef"):
        made.patch("rolebindings", "a", {"roleRef": {"name": "y"}}, namespace="default")


@pytest.mark.parametrize(("spec", "types"), [
    ({}, ["Ingress"]), ({"egress": []}, ["Ingress"]), ({"egress": [{}]}, ["Ingress", "Egress"]),
    ({"policyTypes": ["Egress"]}, ["Egress"])])
def test_policy_types_follow_from_the_rules(spec, types):
    assert registry().create("networkpolicies", policy(**spec))["spec"]["policyTypes"] == types


def test_the_newest_default_class_is_taken():
    made = registry()
    for name in ("one", "two"):
        made.create("ingressclasses", {"metadata": {"name": name, "annotations": {
            "ingressclass.kubernetes.io/is-default-class": "true"}}, "spec": {"controller": "a.example/b"}})
    assert made.create("ingresses", named(spec={"defaultBackend": WEB}))["spec"]["ingressClassName"] == "one"


ROWS = [
    ("ingresses", named(spec={"rules": [{"host": f"{name}.example"} for name in "abcd"], "tls": [{}]}),
     ["a", "<none>", "a.example,b.example,c.example + 1 more...", "", "80, 443", "0s"]),
    ("ingresses", named(spec={"defaultBackend": WEB}), ["a", "<none>", "*", "", "80", "0s"]),
    ("ingressclasses", named(spec={"controller": "a.example/b", "parameters": {"kind": "Conf", "name": "n",
                                                                               "apiGroup": "c.example"}}),
     ["a", "a.example/b", "Conf.c.example/n", "0s"]),
    ("networkpolicies", policy(podSelector={"matchLabels": {"app": "web"}}), ["a", "app=web", "0s"]),
    ("networkpolicies", policy(), ["a", "<none>", "0s"]),
    ("roles", named(rules=[]), ["a", "2026-01-02T03:04:05Z"]),
    ("rolebindings", named(roleRef={"kind": "Role", "name": "r"}, subjects=[
        {"kind": "ServiceAccount", "name": "s", "namespace": "n"}, {"kind": "User", "name": "u"}]),
     ["a", "Role/r", "0s", "u", "", "n/s"]),
    ("leases", named(spec={"holderIdentity": "me"}), ["a", "me", "0s"]),
]


@pytest.mark.parametrize(("resource", "manifest", "cells"), ROWS, ids=[f"{row[0]}-{row[2][2]}" if len(row[2]) > 2
                                                                       else row[0] for row in ROWS])
def test_the_table_is_upstreams(resource, manifest, cells):
    api = Api(registry())
    api.registry.create(resource, manifest)
    answer = api.handle(Request.from_target("GET", f"/apis/{GROUPS[resource]}/v1/{resource}",
                                            {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}))
    assert json.loads(answer.body)["rows"][0]["cells"] == cells


@pytest.mark.parametrize(("resource", "manifest", "word"), [
    ("networkpolicies", policy(), "enforces NetworkPolicies"),
    ("ingresses", named(spec={"defaultBackend": WEB}), "no Ingress controller")])
def test_what_nothing_enforces_says_so(resource, manifest, word):
    prefix = f"/apis/{GROUPS[resource]}/v1" if resource in GROUPS else "/api/v1"
    answer = Api(registry()).handle(Request.from_target("POST", f"{prefix}/namespaces/default/{resource}", {},
                                                        json.dumps(manifest).encode()))
    assert answer.code == 201
    assert word in answer.warnings[0]
