import pytest

from netlab.api.protobuf import _table, decode
from netlab.api.shapes import fields
from netlab.model.errors import ApiError


def varint(number):
    number &= (1 << 64) - 1
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def message(*pairs):
    """A message of (number, value): ints are varints, texts and bytes are length-delimited."""
    out = b""
    for number, value in pairs:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def body(api_version, kind, data):
    return b"k8s\0" + message((1, message((1, api_version), (2, kind))), (2, data), (3, ""), (4, ""))


META = message((1, "web"), (2, ""), (3, "default"), (8, message((1, 0), (2, 0))), (11, message((1, "app"), (2, "web"))))
PORT = message((1, "http"), (2, "TCP"), (3, 80), (4, message((1, 1), (2, 0), (3, "web"))), (5, 0))
OTHER = message((1, "x"), (2, "TCP"), (3, 81), (4, message((1, 0), (2, 8081), (3, ""))), (5, 30081))


@pytest.mark.parametrize(("data", "manifest"), [
    (body("v1", "Service", message((1, META), (2, message((1, PORT), (1, OTHER), (2, message((1, "a"), (2, "b"))),
                                                          (4, "ClusterIP"), (13, 0))), (3, b""))),
     {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "default",
                                                          "labels": {"app": "web"}},
      "spec": {"ports": [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": "web"},
                         {"name": "x", "protocol": "TCP", "port": 81, "targetPort": 8081, "nodePort": 30081}],
               "selector": {"a": "b"}, "type": "ClusterIP"}}),
    (body("v1", "ConfigMap", message((1, message((1, "a"))), (2, message((1, "k"), (2, "v"))),
                                     (3, message((1, "b"), (2, b"\x00\xff"))))),
     {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"},
      "binaryData": {"b": "AP8="}}),
    (body("apps/v1", "Deployment", message((1, message((1, "d"))), (2, message((1, 0), (2, message())))))
     , {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
        "spec": {"replicas": 0, "selector": {}}}),
    (body("batch/v1", "CronJob", message((1, message((1, "c"))), (2, message(
        (1, "@daily"), (3, "Forbid"), (5, message((1, b""), (2, message((1, 0), (6, message((1, b""), (2, message(
            (2, message((1, "x"), (2, "y"), (3, "date"))), (3, "OnFailure"))))), (7, 0))))), (7, 0)))))
     , {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "c"}, "spec": {
         "schedule": "@daily", "concurrencyPolicy": "Forbid", "failedJobsHistoryLimit": 0, "jobTemplate": {
             "metadata": {}, "spec": {"parallelism": 0, "backoffLimit": 0, "template": {"metadata": {}, "spec": {
                 "containers": [{"name": "x", "image": "y", "command": ["date"]}], "restartPolicy": "OnFailure"}}}}}}),
    (body("v1", "Pod", message((1, message((1, "p"))), (2, message(
        (1, message((1, "v"), (2, message((19, message((1, message((1, "cm"))), (3, 420))))))),
        (1, message((1, "e"), (2, message((2, b""))))),
        (2, message((1, "c"), (7, message((1, "A"), (3, message((4, message((1, message((1, "s"))), (2, "k"))))))),
                    (11, message((1, message((2, message((1, "/"), (2, message((1, 0), (2, 80))))))), (4, 5))))),
        (34, message((1, message((1, "d"), (16, 1))), (2, "c"))))))),
     {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {
         "volumes": [{"name": "v", "configMap": {"name": "cm", "defaultMode": 420}}, {"name": "e", "emptyDir": {}}],
         "containers": [{"name": "c", "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
                         "readinessProbe": {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 5}}],
         "ephemeralContainers": [{"name": "d", "stdin": True, "targetContainerName": "c"}]}}),
    (body("v1", "Pod", message((1, message((1, "p"))), (2, message(
        (2, message((1, "c"), (15, message((1, message((1, "NET_ADMIN"))), (2, 0), (4, 0), (6, 1))))),
        (14, message((3, 0), (4, 7), (4, 8), (7, message((1, "net.ipv4.ip_forward"), (2, "1"))))),
        (18, message((3, message((1, message((1, message((1, message((1, "app"), (2, "web"))))), (3, "zone"))))))),
        (32, message((1, "cpu"), (2, message((1, "250m"))))),
        (33, message((1, 1), (2, "zone"), (3, "DoNotSchedule"), (5, 2))))))),
     {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {
         "containers": [{"name": "c", "securityContext": {"capabilities": {"add": ["NET_ADMIN"]}, "privileged": False,
                                                          "runAsUser": 0, "readOnlyRootFilesystem": True}}],
         "securityContext": {"runAsNonRoot": False, "supplementalGroups": [7, 8],
                             "sysctls": [{"name": "net.ipv4.ip_forward", "value": "1"}]},
         "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
             {"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": "zone"}]}},
         "overhead": {"cpu": "250m"},
         "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule",
                                        "minDomains": 2}]}}),
    (body("authorization.k8s.io/v1", "SelfSubjectAccessReview",
          message((1, b""), (2, message((1, message((2, "get"), (5, "pods"), (6, "log"))))))),
     {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "metadata": {},
      "spec": {"resourceAttributes": {"verb": "get", "resource": "pods", "subresource": "log"}}}),
    (body("networking.k8s.io/v1", "Ingress",
          message((1, message((1, "i"))), (2, message((3, message((1, "a.example"), (2, message((1, message((1, message(
              (1, "/"), (2, message((4, message((1, "web"), (2, message((2, 80))))))), (3, "Prefix"))))))))))))),
     {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "i"}, "spec": {"rules": [
         {"host": "a.example", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": {
             "service": {"name": "web", "port": {"number": 80}}}}]}}]}}),
])
def test_objects_are_read(data, manifest):
    assert decode(data) == manifest


@pytest.mark.parametrize(("data", "code"), [
    (b"", 400), (b"{}", 400), (b"k8s\0\xff", 400), (b"k8s\0\x0a\xff\x01", 400), (b"k8s\0\x0b", 400),
    (b"k8s\0" + b"\xff" * 20, 400), (body("v1", "Zap", b""), 415), (body("v1", "Service", message((1, 5))), 400),
    (body("v1", "Service", message((1, message((1, b"\xff"))))), 400),
])
def test_malformed_bytes_are_refused(data, code):
    with pytest.raises(ApiError) as caught:
        decode(data)
    assert caught.value.code == code


def test_cutting_a_message_anywhere_is_no_bug():
    data = body("v1", "Service", message((1, META), (2, message((1, PORT), (4, "ClusterIP")))))
    for end in range(len(data)):
        try:
            decode(data[:end])
        except ApiError as error:
            assert error.code in (400, 415)  # noqa: PT017


def test_every_number_names_a_field_that_exists():
    table = _table()
    inlined = {field[1:] for numbers in table.values() for field in numbers.values() if field.startswith("=")}

    def named(name):
        """The fields of a message, those of messages in it that JSON does not show included."""
        return {part for field in table[name].values()
                for part in (named(field[1:]) if field.startswith("=") else {field})}

    for name in table.keys() - inlined:
        assert named(name) <= fields(name).keys(), name

