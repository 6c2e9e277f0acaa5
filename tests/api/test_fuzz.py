"""Requests of every shape must be answered, and never with 500."""

import json
import random

from netlab.api.handlers import Api
from netlab.api.request import Request
from netlab.api.resources import RESOURCES
from netlab.api.response import LogRequest
from netlab.api.shapes import fields
from netlab.api.watch import Watch
from netlab.model.errors import ApiError
from tests.api.objects import claim, cron_job, deployment, job, pod, registry, service

VALUES = [None, True, 0, -1, 80, 65536, 1 << 40, 1.5, "", "x", "None", "10.96.0.50", "127.0.0.1", "fe80::1%0",
          "a" * 300, "\ud800",
          "25%", "web", "default", [], {}, [None], [[]], [{}], {"": None}, {"a": {"b": []}}, ["x", "x"],
          [{"name": "x"}],
          {"$patch": "delete"}, {"$patch": "replace"}, [{"$patch": "replace"}], {"matchLabels": {"app": "web"}},
          [{"port": 80}, {"port": 80}], "LoadBalancer", "ExternalName", "NodePort", "Local", "ClientIP"]
HEADERS = ["application/json", "application/merge-patch+json", "application/strategic-merge-patch+json",
           "application/json-patch+json", "application/apply-patch+yaml", "application/yaml", "text/plain",
           "application/vnd.kubernetes.protobuf"]
QUERIES = ["", "?watch=true", "?dryRun=All", "?labelSelector=a=b", "?labelSelector=%28", "?fieldSelector=a.b.c!=",
           "?fieldValidation=Strict", "?limit=1&continue=x", "?resourceVersion=5&watch=1", "?%ff=%ff", "?a&b;c=&&",
           "?includeObject=Object", "?gracePeriodSeconds=0", "?propagationPolicy=Orphan"]


def mutate(chance, value, kind=""):
    """The value with some part replaced, removed or added; the names of known fields are found more often."""
    if chance.random() < 0.08:
        return chance.choice(VALUES)
    if isinstance(value, dict):
        result = {key: mutate(chance, item) for key, item in value.items() if chance.random() > 0.04}
        if chance.random() < 0.25:
            names = [*fields(kind), *fields("ServiceSpec"), *fields("PodSpec"), *fields("Container"),
                     *fields("ObjectMeta")]
            result[chance.choice([*names, "$setElementOrder/containers", "$retainKeys", "x"])] = chance.choice(VALUES)
        return result
    if isinstance(value, list):
        items = [mutate(chance, item) for item in value]
        return items + items if chance.random() < 0.1 else items
    return value


def test_no_request_is_answered_with_500():
    chance = random.Random(20)
    bugs = []
    r = registry()
    api = Api(r, on_bug=bugs.append)
    seeds = {"services": service(type="LoadBalancer"), "pods": pod(), "deployments": deployment(),
             "replicasets": deployment(), "configmaps": {"metadata": {"name": "web"}, "data": {"a": "b"}},
             "endpoints": {"metadata": {"name": "web"}, "subsets": [{"addresses": [{"ip": "10.0.0.1"}],
                                                                     "ports": [{"port": 1}]}]},
             "endpointslices": {"metadata": {"name": "web"}, "addressType": "IPv4", "ports": [{"port": 1}],
                                "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": True}}]},
             "nodes": {"metadata": {"name": "web"}, "status": {"conditions": [{"type": "Ready"}]}},
             "events": {"metadata": {"name": "web"}, "involvedObject": {"kind": "Pod"}},
             "namespaces": {"metadata": {"name": "web"}}, "secrets": {"metadata": {"name": "web"},
                                                                      "stringData": {"a": "b"}},
             "serviceaccounts": {"metadata": {"name": "web"}},
             "statefulsets": deployment(serviceName="web", volumeClaimTemplates=[claim()]),
             "daemonsets": deployment(updateStrategy={"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}}),
             "controllerrevisions": {"metadata": {"name": "web"}, "data": {"a": {}}, "revision": 1},
             "jobs": job(ttlSecondsAfterFinished=5), "cronjobs": cron_job(timeZone="Europe/Berlin")}
    codes = set()
    for _ in range(3000):
        plural, seed = chance.choice(list(seeds.items()))
        kind = RESOURCES[plural]
        space = f"/namespaces/{chance.choice(['default', 'web', 'x'])}" if kind.namespaced else ""
        place = f"{kind.prefix}{space}/{plural}"
        name = chance.choice(["", "", "/web", "/web", "/web/status", "/web/scale", "/web/log", "/web/eviction",
                              "/a%2Fb", "//"])
        method = chance.choice(["GET", "GET", "POST", "POST", "PUT", "PATCH", "PATCH", "DELETE", "HEAD"])
        body = json.dumps(mutate(chance, seed, kind.kind)).encode()
        if chance.random() < 0.1:
            body = json.dumps([{"op": chance.choice(["add", "remove", "move", "test", "x"]),
                                "value": chance.choice(VALUES),
                                "path": chance.choice(["", "/spec", "/metadata/name", "/spec/ports/0", "x",
                                                       None])}]).encode()
        if chance.random() < 0.05:
            body = body[:chance.randrange(len(body) + 1)]
        headers = {"content-type": chance.choice(HEADERS),
                   "accept": chance.choice(["application/json", "application/json;as=Table;v=v1;g=meta.k8s.io", "*/*"])}
        try:
            request = Request.from_target(method, place + name + chance.choice(QUERIES), headers, body)
        except ApiError:  # the target itself cannot be read
            codes.add(400)
            continue
        answer = api.handle(request)
        assert bugs == [], (method, request.path, request.query, body)
        if isinstance(answer, Watch):
            answer.take()
        elif not isinstance(answer, LogRequest):
            codes.add(answer.code)
            assert answer.code < 500, (answer, body)
    assert {200, 201, 400, 404, 405, 409, 415, 422} <= codes
