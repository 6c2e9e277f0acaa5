"""Kubernetes' protobuf bodies: what `kubectl create` of 1.32 and later sends instead of JSON. Only reading.

A body is the bytes `k8s\\0` and a message `Unknown` {1 TypeMeta {1 apiVersion, 2 kind}, 2 raw}. The numbers below are
those of the published generated.proto files; the types of the fields are those of `shapes`. `=Type` is a message whose
fields stand in the one around it in JSON.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

from netlab.api.protobuf_pods import POD_NUMBERS
from netlab.api.shapes import Shape, fields
from netlab.model import meta
from netlab.model.errors import bad_request, unsupported_media_type
from netlab.model.meta import Manifest

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\0"
VERSIONED = {("autoscaling/v1", "HorizontalPodAutoscaler"): "v1.HorizontalPodAutoscaler"}
KEPT_ZEROS = ("replicas", "terminationGracePeriodSeconds", "revisionHistoryLimit", "automountServiceAccountToken",
              "parallelism", "completions", "backoffLimit", "ttlSecondsAfterFinished", "successfulJobsHistoryLimit",
              "failedJobsHistoryLimit", "suspend", "startingDeadlineSeconds", "runAsUser", "runAsGroup", "fsGroup",
              "runAsNonRoot", "privileged", "readOnlyRootFilesystem", "allowPrivilegeEscalation")

NUMBERS = """
ObjectMeta: 1 name, 2 generateName, 3 namespace, 5 uid, 6 resourceVersion, 8 creationTimestamp, 11 labels,
  12 annotations, 13 ownerReferences, 14 finalizers
OwnerReference: 5 apiVersion, 1 kind, 3 name, 4 uid, 6 controller, 7 blockOwnerDeletion
LabelSelector: 1 matchLabels, 2 matchExpressions
LabelSelectorRequirement: 1 key, 2 operator, 3 values
Namespace: 1 metadata, 2 spec
NamespaceSpec: 1 finalizers
ConfigMap: 1 metadata, 2 data, 3 binaryData, 4 immutable
Secret: 1 metadata, 2 data, 3 type, 4 stringData, 5 immutable
ServiceAccount: 1 metadata, 2 secrets, 3 imagePullSecrets, 4 automountServiceAccountToken
LocalObjectReference: 1 name
Service: 1 metadata, 2 spec
ServiceSpec: 1 ports, 2 selector, 3 clusterIP, 4 type, 5 externalIPs, 7 sessionAffinity, 8 loadBalancerIP,
  9 loadBalancerSourceRanges, 10 externalName, 11 externalTrafficPolicy, 12 healthCheckNodePort,
  13 publishNotReadyAddresses, 17 ipFamilyPolicy, 18 clusterIPs, 19 ipFamilies, 22 internalTrafficPolicy
ServicePort: 1 name, 2 protocol, 3 port, 4 targetPort, 5 nodePort, 6 appProtocol
Deployment: 1 metadata, 2 spec
DeploymentSpec: 1 replicas, 2 selector, 3 template, 4 strategy, 5 minReadySeconds, 6 revisionHistoryLimit, 7 paused,
  9 progressDeadlineSeconds
DeploymentStrategy: 1 type, 2 rollingUpdate
RollingUpdateDeployment: 1 maxUnavailable, 2 maxSurge
Job: 1 metadata, 2 spec
JobSpec: 1 parallelism, 2 completions, 3 activeDeadlineSeconds, 4 selector, 5 manualSelector, 6 template,
  7 backoffLimit, 8 ttlSecondsAfterFinished, 9 completionMode, 10 suspend
CronJob: 1 metadata, 2 spec
CronJobSpec: 1 schedule, 2 startingDeadlineSeconds, 3 concurrencyPolicy, 4 suspend, 5 jobTemplate,
  6 successfulJobsHistoryLimit, 7 failedJobsHistoryLimit, 8 timeZone
JobTemplateSpec: 1 metadata, 2 spec
PodTemplateSpec: 1 metadata, 2 spec
Pod: 1 metadata, 2 spec
ResourceQuota: 1 metadata, 2 spec
ResourceQuotaSpec: 1 hard, 2 scopes
Ingress: 1 metadata, 2 spec
IngressSpec: 1 defaultBackend, 2 tls, 3 rules, 4 ingressClassName
IngressBackend: 3 resource, 4 service
TypedLocalObjectReference: 1 apiGroup, 2 kind, 3 name
IngressServiceBackend: 1 name, 2 port
ServiceBackendPort: 1 name, 2 number
IngressTLS: 1 hosts, 2 secretName
IngressRule: 1 host, 2 =IngressRuleValue
IngressRuleValue: 1 http
HTTPIngressRuleValue: 1 paths
HTTPIngressPath: 1 path, 2 backend, 3 pathType
Role: 1 metadata, 2 rules
ClusterRole: 1 metadata, 2 rules, 3 aggregationRule
AggregationRule: 1 clusterRoleSelectors
PolicyRule: 1 verbs, 2 apiGroups, 3 resources, 4 resourceNames, 5 nonResourceURLs
RoleBinding: 1 metadata, 2 subjects, 3 roleRef
ClusterRoleBinding: 1 metadata, 2 subjects, 3 roleRef
Subject: 1 kind, 2 apiGroup, 3 name, 4 namespace
RoleRef: 1 apiGroup, 2 kind, 3 name
PodDisruptionBudget: 1 metadata, 2 spec
PodDisruptionBudgetSpec: 1 minAvailable, 2 selector, 3 maxUnavailable, 4 unhealthyPodEvictionPolicy
HorizontalPodAutoscaler: 1 metadata, 2 spec
HorizontalPodAutoscalerSpec: 1 scaleTargetRef, 2 minReplicas, 3 maxReplicas, 4 metrics
v1.HorizontalPodAutoscaler: 1 metadata, 2 spec
v1.HorizontalPodAutoscalerSpec: 1 scaleTargetRef, 2 minReplicas, 3 maxReplicas, 4 targetCPUUtilizationPercentage
CrossVersionObjectReference: 1 kind, 2 name, 3 apiVersion
MetricSpec: 1 type, 4 resource
ResourceMetricSource: 1 name, 2 target
MetricTarget: 1 type, 2 value, 3 averageValue, 4 averageUtilization
PriorityClass: 1 metadata, 2 value, 3 globalDefault, 4 description, 5 preemptionPolicy
CertificateSigningRequest: 1 metadata, 2 spec, 3 status
CertificateSigningRequestSpec: 1 request, 2 username, 3 uid, 4 groups, 5 usages, 7 signerName, 8 expirationSeconds
CertificateSigningRequestStatus: 1 conditions, 2 certificate
CertificateSigningRequestCondition: 1 type, 2 reason, 3 message, 4 lastUpdateTime, 5 lastTransitionTime, 6 status
TokenRequest: 1 metadata, 2 spec
TokenRequestSpec: 1 audiences, 3 boundObjectRef, 4 expirationSeconds
BoundObjectReference: 1 kind, 2 apiVersion, 3 name, 4 uid
SelfSubjectAccessReview: 1 metadata, 2 spec
SelfSubjectAccessReviewSpec: 1 resourceAttributes, 2 nonResourceAttributes
ResourceAttributes: 1 namespace, 2 verb, 3 group, 4 version, 5 resource, 6 subresource, 7 name
NonResourceAttributes: 1 path, 2 verb
SelfSubjectRulesReview: 1 metadata, 2 spec
SelfSubjectRulesReviewSpec: 1 namespace
SelfSubjectReview: 1 metadata
"""


@cache
def _table() -> dict[str, dict[int, str]]:
    found = {}
    for line in (NUMBERS + POD_NUMBERS).replace("\n  ", " ").splitlines():
        if line:
            name, _, rest = line.partition(":")
            found[name] = {int(number): field for number, field in (part.split() for part in rest.split(","))}
    return found


def decode(body: bytes) -> Manifest:
    """The object. ApiError 400 when the bytes are malformed, 415 for a kind that is not in the table."""
    if not body.startswith(MAGIC):
        raise bad_request("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    try:
        unknown = dict(_read(body[len(MAGIC):]))
        names = dict(_read(_bytes(unknown.get(1, b""))))
        api_version, kind = (_bytes(names.get(number, b"")).decode() for number in (1, 2))
        head = {"apiVersion": api_version, "kind": kind}
        if kind == "DeleteOptions":
            return _delete_options(dict(_read(_bytes(unknown.get(2, b"")))))
        if kind not in _table():
            raise unsupported_media_type(["application/json", "application/yaml"])
        return head | _message(_bytes(unknown.get(2, b"")), VERSIONED.get((api_version, kind), kind))
    except (ValueError, OverflowError) as error:
        raise bad_request(f"the protobuf message is malformed: {error}") from None


def _message(data: bytes, name: str, around: str = "") -> dict[str, Any]:
    numbers, shapes = _table().get(name, {}), fields(around or name)
    result: dict[str, Any] = {}
    for number, value in _read(data):
        field = numbers.get(number)
        if field is None:
            continue
        if field.startswith("="):
            result |= _message(_bytes(value), field[1:], around or name)
            continue
        shape = shapes[field]
        if shape.form == "list" and shape.element:
            result.setdefault(field, []).append(_value(value, shape.element))
        elif shape.form == "map" and shape.element:
            pair = dict(_read(_bytes(value)))
            item = pair.get(2, b"")
            result.setdefault(field, {})[_bytes(pair.get(1, b"")).decode()] = _value(item, shape.element)
        else:
            found = _value(value, shape)
            kept_zero = found == 0 and (field in KEPT_ZEROS or shape.form == "intstr")
            if found or kept_zero or found == {}:
                result[field] = found
    return result


def _value(value: int | bytes, shape: Shape) -> Any:
    if shape.form in ("int32", "int64"):
        number = _int(value)
        return number - (1 << 64) if number >> 63 else number
    if shape.form == "bool":
        return bool(_int(value))
    data = _bytes(value)
    if shape.form == "string":
        return data.decode()
    if shape.form == "bytes":
        return b64encode(data).decode()
    parts = dict(_read(data)) if shape.form in ("intstr", "quantity", "time") else {}
    if shape.form == "intstr":
        return _bytes(parts.get(3, b"")).decode() if parts.get(1) else _value(parts.get(2, 0), Shape("int32"))
    if shape.form == "quantity":
        return _bytes(parts.get(1, b"")).decode()
    if shape.form == "time":
        seconds = _int(parts.get(1, 0))
        return meta.timestamp(datetime.fromtimestamp(seconds, UTC)) if 0 < seconds < 1 << 36 else None
    return _message(data, shape.name) if shape.form == "struct" else {}


def _delete_options(parts: dict[int, int | bytes]) -> Manifest:
    options: Manifest = {}
    if 1 in parts:
        options["gracePeriodSeconds"] = _int(parts[1])
    if 4 in parts:
        options["propagationPolicy"] = _bytes(parts[4]).decode()
    return options


def _read(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message: varints as numbers, everything else as bytes."""
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        form = key & 7
        if form == 0:
            number, place = _varint(data, place)
            yield key >> 3, number
            continue
        if form == 2:
            size, place = _varint(data, place)
        elif form in (1, 5):
            size = 8 if form == 1 else 4
        else:
            raise ValueError(f"wire type {form}")
        if place + size > len(data):
            raise ValueError("unexpected end")
        yield key >> 3, data[place:place + size]
        place += size


def _varint(data: bytes, place: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 70, 7):
        if place >= len(data):
            raise ValueError("unexpected end")
        byte = data[place]
        place += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number & (1 << 64) - 1, place
    raise ValueError("a number is too long")


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number where bytes are expected")
    return value


def _int(value: int | bytes) -> int:
    if not isinstance(value, int):
        raise ValueError("bytes where a number is expected")
    return value
