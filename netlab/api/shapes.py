"""The fields of every kind, as one table: for decoding, for merge keys of patches, for `kubectl explain`.

A line is a type and its fields. A field's type is string, bool, int32, int64, intstr, quantity, time, labels (a map of
strings), bytes (base64), object (any JSON object), any, or another type of the table; `[]T` is a list that patches
replace, `[]T/key` a list that strategic patches merge by that key, `[]T/=` a set of plain values; `{}T` is a map.
Source: the API reference, and the patchStrategy and patchMergeKey tags of k8s.io/api.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

TABLE = """
ObjectMeta: name string, generateName string, namespace string, selfLink string, uid string, resourceVersion string,
  generation int64, creationTimestamp time, deletionTimestamp time, deletionGracePeriodSeconds int64, labels labels,
  annotations labels, ownerReferences []OwnerReference/uid, finalizers []string/=, managedFields []object
OwnerReference: apiVersion string, kind string, name string, uid string, controller bool, blockOwnerDeletion bool
LabelSelector: matchLabels labels, matchExpressions []LabelSelectorRequirement
LabelSelectorRequirement: key string, operator string, values []string
Condition: type string, status string, reason string, message string, lastTransitionTime time, lastUpdateTime time,
  lastProbeTime time, lastHeartbeatTime time, observedGeneration int64
ObjectReference: kind string, namespace string, name string, uid string, apiVersion string, resourceVersion string,
  fieldPath string

Namespace: spec NamespaceSpec, status NamespaceStatus
NamespaceSpec: finalizers []string
NamespaceStatus: phase string, conditions []Condition/type

Node: spec NodeSpec, status NodeStatus
NodeSpec: podCIDR string, podCIDRs []string/=, providerID string, unschedulable bool, taints []Taint,
  configSource object, externalID string
Taint: key string, value string, effect string, timeAdded time
NodeStatus: capacity {}quantity, allocatable {}quantity, phase string, conditions []Condition/type,
  addresses []NodeAddress/type, daemonEndpoints object, nodeInfo object, images []object, volumesInUse []string,
  volumesAttached []object, config object, runtimeHandlers []object, features object
NodeAddress: type string, address string

Pod: spec PodSpec, status PodStatus
PodTemplateSpec: metadata ObjectMeta, spec PodSpec
PodSpec: volumes []Volume/name, initContainers []Container/name, containers []Container/name, ephemeralContainers
  []EphemeralContainer/name, restartPolicy string, terminationGracePeriodSeconds int64, activeDeadlineSeconds int64,
  dnsPolicy string, nodeSelector labels, serviceAccountName string, serviceAccount string,
  automountServiceAccountToken bool, nodeName string, hostNetwork bool, hostPID bool, hostIPC bool,
  shareProcessNamespace bool, securityContext object, imagePullSecrets []LocalObjectReference/name, hostname string,
  subdomain string, affinity object, schedulerName string, tolerations []Toleration, hostAliases []HostAlias/ip,
  priorityClassName string, priority int32, dnsConfig PodDNSConfig, readinessGates []PodReadinessGate,
  runtimeClassName string, enableServiceLinks bool, preemptionPolicy string, overhead {}quantity,
  topologySpreadConstraints []object/topologyKey, setHostnameAsFQDN bool, os object, hostUsers bool, schedulingGates
  []object/name, resourceClaims []object/name, resources ResourceRequirements, hostnameOverride string
LocalObjectReference: name string
Toleration: key string, operator string, value string, effect string, tolerationSeconds int64
HostAlias: ip string, hostnames []string
PodReadinessGate: conditionType string
PodDNSConfig: nameservers []string, searches []string, options []PodDNSConfigOption
PodDNSConfigOption: name string, value string
Container: name string, image string, command []string, args []string, workingDir string,
  ports []ContainerPort/containerPort, envFrom []EnvFromSource, env []EnvVar/name, resources ResourceRequirements,
  resizePolicy []object, restartPolicy string, restartPolicyRules []object, volumeMounts []VolumeMount/mountPath,
  volumeDevices []object/devicePath, livenessProbe Probe, readinessProbe Probe, startupProbe Probe, lifecycle Lifecycle,
  terminationMessagePath string, terminationMessagePolicy string, imagePullPolicy string, securityContext object,
  stdin bool, stdinOnce bool, tty bool, targetContainerName string
EphemeralContainer: name string, image string, command []string, args []string, workingDir string,
  ports []ContainerPort/containerPort, envFrom []EnvFromSource, env []EnvVar/name, resources ResourceRequirements,
  resizePolicy []object, restartPolicy string, restartPolicyRules []object, volumeMounts []VolumeMount/mountPath,
  volumeDevices []object/devicePath, livenessProbe Probe, readinessProbe Probe, startupProbe Probe, lifecycle Lifecycle,
  terminationMessagePath string, terminationMessagePolicy string, imagePullPolicy string, securityContext object,
  stdin bool, stdinOnce bool, tty bool, targetContainerName string
ContainerPort: name string, hostPort int32, containerPort int32, protocol string, hostIP string
EnvVar: name string, value string, valueFrom EnvVarSource
EnvVarSource: fieldRef ObjectFieldSelector, resourceFieldRef ResourceFieldSelector, configMapKeyRef
  ConfigMapKeySelector, secretKeyRef SecretKeySelector, fileKeyRef object
ObjectFieldSelector: apiVersion string, fieldPath string
ResourceFieldSelector: containerName string, resource string, divisor quantity
ConfigMapKeySelector: name string, key string, optional bool
SecretKeySelector: name string, key string, optional bool
EnvFromSource: prefix string, configMapRef ConfigMapEnvSource, secretRef SecretEnvSource
ConfigMapEnvSource: name string, optional bool
SecretEnvSource: name string, optional bool
ResourceRequirements: limits {}quantity, requests {}quantity, claims []object/name
VolumeMount: name string, readOnly bool, recursiveReadOnly string, mountPath string, subPath string,
  mountPropagation string, subPathExpr string
Probe: exec ExecAction, httpGet HTTPGetAction, tcpSocket TCPSocketAction, grpc GRPCAction, initialDelaySeconds int32,
  timeoutSeconds int32, periodSeconds int32, successThreshold int32, failureThreshold int32,
  terminationGracePeriodSeconds int64
Lifecycle: postStart LifecycleHandler, preStop LifecycleHandler, stopSignal string
LifecycleHandler: exec ExecAction, httpGet HTTPGetAction, tcpSocket TCPSocketAction, sleep SleepAction
ExecAction: command []string
HTTPGetAction: path string, port intstr, host string, scheme string, httpHeaders []HTTPHeader
HTTPHeader: name string, value string
TCPSocketAction: port intstr, host string
GRPCAction: port int32, service string
SleepAction: seconds int64
Volume: name string, emptyDir EmptyDirVolumeSource, hostPath HostPathVolumeSource, configMap ConfigMapVolumeSource,
  secret SecretVolumeSource, projected ProjectedVolumeSource, downwardAPI DownwardAPIVolumeSource,
  persistentVolumeClaim object, ephemeral object, csi object, nfs object, image object, iscsi object, fc object, rbd
  object, cephfs object, gitRepo object, glusterfs object, flexVolume object, cinder object, flocker object, azureFile
  object, azureDisk object, vsphereVolume object, quobyte object, photonPersistentDisk object, portworxVolume object,
  scaleIO object, storageos object, gcePersistentDisk object, awsElasticBlockStore object
EmptyDirVolumeSource: medium string, sizeLimit quantity
HostPathVolumeSource: path string, type string
ConfigMapVolumeSource: name string, items []KeyToPath, defaultMode int32, optional bool
SecretVolumeSource: secretName string, items []KeyToPath, defaultMode int32, optional bool
ProjectedVolumeSource: sources []VolumeProjection, defaultMode int32
VolumeProjection: secret SecretProjection, downwardAPI DownwardAPIProjection, configMap ConfigMapProjection,
  serviceAccountToken ServiceAccountTokenProjection, clusterTrustBundle object, podCertificate object
SecretProjection: name string, items []KeyToPath, optional bool
ConfigMapProjection: name string, items []KeyToPath, optional bool
DownwardAPIProjection: items []DownwardAPIVolumeFile
DownwardAPIVolumeSource: items []DownwardAPIVolumeFile, defaultMode int32
DownwardAPIVolumeFile: path string, fieldRef ObjectFieldSelector, resourceFieldRef ResourceFieldSelector, mode int32
ServiceAccountTokenProjection: audience string, expirationSeconds int64, path string
KeyToPath: key string, path string, mode int32
PodStatus: phase string, conditions []Condition/type, message string, reason string, nominatedNodeName string,
  hostIP string, hostIPs []IP/ip, podIP string, podIPs []IP/ip, startTime time,
  initContainerStatuses []ContainerStatus, containerStatuses []ContainerStatus,
  ephemeralContainerStatuses []ContainerStatus, qosClass string, observedGeneration int64, resize string,
  resourceClaimStatuses []object/name
IP: ip string
ContainerStatus: name string, state object, lastState object, ready bool, restartCount int32, image string,
  imageID string, containerID string, started bool, allocatedResources object, resources object,
  volumeMounts []object, user object, allocatedResourcesStatus []object

Service: spec ServiceSpec, status ServiceStatus
ServiceSpec: ports []ServicePort/port, selector labels, clusterIP string, clusterIPs []string, type string,
  externalIPs []string, sessionAffinity string, loadBalancerIP string, loadBalancerSourceRanges []string,
  externalName string, externalTrafficPolicy string, healthCheckNodePort int32, publishNotReadyAddresses bool,
  sessionAffinityConfig SessionAffinityConfig, ipFamilies []string, ipFamilyPolicy string,
  allocateLoadBalancerNodePorts bool, loadBalancerClass string, internalTrafficPolicy string, trafficDistribution string
ServicePort: name string, protocol string, appProtocol string, port int32, targetPort intstr, nodePort int32
SessionAffinityConfig: clientIP ClientIPConfig
ClientIPConfig: timeoutSeconds int32
ServiceStatus: loadBalancer LoadBalancerStatus, conditions []Condition/type
LoadBalancerStatus: ingress []LoadBalancerIngress
LoadBalancerIngress: ip string, hostname string, ipMode string, ports []object

Endpoints: subsets []EndpointSubset
EndpointSubset: addresses []EndpointAddress, notReadyAddresses []EndpointAddress, ports []EndpointPort
EndpointAddress: ip string, hostname string, nodeName string, targetRef ObjectReference
EndpointPort: name string, port int32, protocol string, appProtocol string
EndpointSlice: addressType string, endpoints []Endpoint, ports []EndpointPort
Endpoint: addresses []string, conditions EndpointConditions, hostname string, targetRef ObjectReference,
  deprecatedTopology labels, nodeName string, zone string, hints EndpointHints
EndpointConditions: ready bool, serving bool, terminating bool
EndpointHints: forZones []EndpointHint, forNodes []EndpointHint
EndpointHint: name string

ReplicaSet: spec ReplicaSetSpec, status ReplicaSetStatus
ReplicaSetSpec: replicas int32, minReadySeconds int32, selector LabelSelector, template PodTemplateSpec
ReplicaSetStatus: replicas int32, fullyLabeledReplicas int32, readyReplicas int32, availableReplicas int32,
  terminatingReplicas int32, observedGeneration int64, conditions []Condition/type
Deployment: spec DeploymentSpec, status DeploymentStatus
DeploymentSpec: replicas int32, selector LabelSelector, template PodTemplateSpec, strategy DeploymentStrategy,
  minReadySeconds int32, revisionHistoryLimit int32, paused bool, progressDeadlineSeconds int32
DeploymentStrategy: type string, rollingUpdate RollingUpdate
RollingUpdate: maxUnavailable intstr, maxSurge intstr
DeploymentStatus: observedGeneration int64, replicas int32, updatedReplicas int32, readyReplicas int32,
  availableReplicas int32, unavailableReplicas int32, terminatingReplicas int32, conditions []Condition/type,
  collisionCount int32
ControllerRevision: data object, revision int64
StatefulSet: spec StatefulSetSpec, status StatefulSetStatus
StatefulSetSpec: replicas int32, selector LabelSelector, template PodTemplateSpec,
  volumeClaimTemplates []PersistentVolumeClaim, serviceName string, podManagementPolicy string,
  updateStrategy StatefulSetUpdateStrategy, revisionHistoryLimit int32, minReadySeconds int32,
  persistentVolumeClaimRetentionPolicy ClaimRetentionPolicy, ordinals StatefulSetOrdinals
StatefulSetUpdateStrategy: type string, rollingUpdate RollingUpdateStatefulSet
RollingUpdateStatefulSet: partition int32, maxUnavailable intstr
ClaimRetentionPolicy: whenDeleted string, whenScaled string
StatefulSetOrdinals: start int32
StatefulSetStatus: observedGeneration int64, replicas int32, readyReplicas int32, currentReplicas int32,
  updatedReplicas int32, currentRevision string, updateRevision string, collisionCount int32,
  conditions []Condition/type, availableReplicas int32
PersistentVolumeClaim: spec PersistentVolumeClaimSpec, status PersistentVolumeClaimStatus
PersistentVolumeClaimSpec: accessModes []string, selector LabelSelector, resources ResourceRequirements,
  volumeName string, storageClassName string, volumeMode string, dataSource TypedLocalObjectReference,
  dataSourceRef object, volumeAttributesClassName string
PersistentVolumeClaimStatus: phase string, accessModes []string, capacity {}quantity, conditions []Condition/type,
  allocatedResources {}quantity, allocatedResourceStatuses labels, currentVolumeAttributesClassName string,
  modifyVolumeStatus object
DaemonSet: spec DaemonSetSpec, status DaemonSetStatus
DaemonSetSpec: selector LabelSelector, template PodTemplateSpec, updateStrategy DaemonSetUpdateStrategy,
  minReadySeconds int32, revisionHistoryLimit int32
DaemonSetUpdateStrategy: type string, rollingUpdate RollingUpdate
DaemonSetStatus: currentNumberScheduled int32, numberMisscheduled int32, desiredNumberScheduled int32,
  numberReady int32, observedGeneration int64, updatedNumberScheduled int32, numberAvailable int32,
  numberUnavailable int32, collisionCount int32, conditions []Condition/type
Job: spec JobSpec, status JobStatus
JobSpec: parallelism int32, completions int32, activeDeadlineSeconds int64, podFailurePolicy object,
  successPolicy object, backoffLimit int32, backoffLimitPerIndex int32, maxFailedIndexes int32,
  selector LabelSelector, manualSelector bool, template PodTemplateSpec, ttlSecondsAfterFinished int32,
  completionMode string, suspend bool, podReplacementPolicy string, managedBy string
JobStatus: conditions []Condition/type, startTime time, completionTime time, active int32, succeeded int32,
  failed int32, terminating int32, completedIndexes string, failedIndexes string, uncountedTerminatedPods object,
  ready int32
CronJob: spec CronJobSpec, status CronJobStatus
CronJobSpec: schedule string, timeZone string, startingDeadlineSeconds int64, concurrencyPolicy string, suspend bool,
  jobTemplate JobTemplateSpec, successfulJobsHistoryLimit int32, failedJobsHistoryLimit int32
JobTemplateSpec: metadata ObjectMeta, spec JobSpec
CronJobStatus: active []ObjectReference, lastScheduleTime time, lastSuccessfulTime time
Scale: spec ScaleSpec, status ScaleStatus
ScaleSpec: replicas int32
ScaleStatus: replicas int32, selector string

ConfigMap: data labels, binaryData {}bytes, immutable bool
Secret: data {}bytes, stringData labels, type string, immutable bool
ServiceAccount: secrets []ObjectReference/name, imagePullSecrets []LocalObjectReference/name,
  automountServiceAccountToken bool
Event: involvedObject ObjectReference, reason string, message string, source EventSource, firstTimestamp time,
  lastTimestamp time, count int32, type string, eventTime time, series object, action string, related ObjectReference,
  reportingComponent string, reportingInstance string
EventSource: component string, host string

ResourceQuota: spec ResourceQuotaSpec, status ResourceQuotaStatus
ResourceQuotaSpec: hard {}quantity, scopes []string, scopeSelector object
ResourceQuotaStatus: hard {}quantity, used {}quantity
LimitRange: spec LimitRangeSpec
LimitRangeSpec: limits []LimitRangeItem
LimitRangeItem: type string, max {}quantity, min {}quantity, default {}quantity, defaultRequest {}quantity,
  maxLimitRequestRatio {}quantity
Lease: spec LeaseSpec
LeaseSpec: holderIdentity string, leaseDurationSeconds int32, acquireTime time, renewTime time,
  leaseTransitions int32, strategy string, preferredHolder string

PodDisruptionBudget: spec PodDisruptionBudgetSpec, status PodDisruptionBudgetStatus
PodDisruptionBudgetSpec: minAvailable intstr, maxUnavailable intstr, selector LabelSelector,
  unhealthyPodEvictionPolicy string
PodDisruptionBudgetStatus: observedGeneration int64, disruptedPods {}time, disruptionsAllowed int32,
  currentHealthy int32, desiredHealthy int32, expectedPods int32, conditions []Condition/type
HorizontalPodAutoscaler: spec HorizontalPodAutoscalerSpec, status HorizontalPodAutoscalerStatus
HorizontalPodAutoscalerSpec: scaleTargetRef CrossVersionObjectReference, minReplicas int32, maxReplicas int32,
  metrics []MetricSpec, behavior object
HorizontalPodAutoscalerStatus: observedGeneration int64, lastScaleTime time, currentReplicas int32,
  desiredReplicas int32, currentMetrics []object, conditions []Condition/type
HorizontalPodAutoscalerV1: spec HorizontalPodAutoscalerV1Spec, status HorizontalPodAutoscalerStatus
HorizontalPodAutoscalerV1Spec: scaleTargetRef CrossVersionObjectReference, minReplicas int32, maxReplicas int32,
  targetCPUUtilizationPercentage int32
CrossVersionObjectReference: kind string, name string, apiVersion string
MetricSpec: type string, object object, pods object, resource ResourceMetricSource, external object,
  containerResource object
ResourceMetricSource: name string, target MetricTarget
MetricTarget: type string, value quantity, averageValue quantity, averageUtilization int32
PriorityClass: value int32, globalDefault bool, description string, preemptionPolicy string
StorageClass: provisioner string, parameters labels, reclaimPolicy string, mountOptions []string,
  allowVolumeExpansion bool, volumeBindingMode string, allowedTopologies []object
PersistentVolume: spec PersistentVolumeSpec, status PersistentVolumeStatus
PersistentVolumeSpec: capacity {}quantity, accessModes []string, claimRef ObjectReference,
  persistentVolumeReclaimPolicy string, storageClassName string, mountOptions []string, volumeMode string,
  nodeAffinity object, volumeAttributesClassName string, hostPath object, nfs object, local object, csi object,
  iscsi object, cephfs object, rbd object, fc object, glusterfs object, awsElasticBlockStore object,
  gcePersistentDisk object, azureDisk object, azureFile object, cinder object, flexVolume object, flocker object,
  vsphereVolume object, quobyte object, photonPersistentDisk object, portworxVolume object, scaleIO object,
  storageos object
PersistentVolumeStatus: phase string, message string, reason string, lastPhaseTransitionTime time
PersistentVolumeClaim: spec PersistentVolumeClaimSpec, status PersistentVolumeClaimStatus
PersistentVolumeClaimSpec: accessModes []string, selector LabelSelector, resources ResourceRequirements,
  volumeName string, storageClassName string, volumeMode string, dataSource object, dataSourceRef object,
  volumeAttributesClassName string
PersistentVolumeClaimStatus: phase string, accessModes []string, capacity {}quantity, conditions []Condition/type,
  allocatedResources {}quantity, allocatedResourceStatuses labels, currentVolumeAttributesClassName string,
  modifyVolumeStatus object
RuntimeClass: handler string, overhead object, scheduling object

Ingress: spec IngressSpec, status IngressStatus
IngressSpec: ingressClassName string, defaultBackend IngressBackend, tls []IngressTLS, rules []IngressRule
IngressBackend: service IngressServiceBackend, resource TypedLocalObjectReference
TypedLocalObjectReference: apiGroup string, kind string, name string
IngressServiceBackend: name string, port ServiceBackendPort
ServiceBackendPort: name string, number int32
IngressTLS: hosts []string, secretName string
IngressRule: host string, http HTTPIngressRuleValue
IngressRuleValue: http HTTPIngressRuleValue
HTTPIngressRuleValue: paths []HTTPIngressPath
HTTPIngressPath: path string, pathType string, backend IngressBackend
IngressStatus: loadBalancer LoadBalancerStatus
IngressClass: spec IngressClassSpec
IngressClassSpec: controller string, parameters IngressClassParameters
IngressClassParameters: apiGroup string, kind string, name string, scope string, namespace string
NetworkPolicy: spec NetworkPolicySpec
NetworkPolicySpec: podSelector LabelSelector, ingress []NetworkPolicyIngressRule, egress []NetworkPolicyEgressRule,
  policyTypes []string
NetworkPolicyIngressRule: ports []NetworkPolicyPort, from []NetworkPolicyPeer
NetworkPolicyEgressRule: ports []NetworkPolicyPort, to []NetworkPolicyPeer
NetworkPolicyPort: protocol string, port intstr, endPort int32
NetworkPolicyPeer: podSelector LabelSelector, namespaceSelector LabelSelector, ipBlock IPBlock
IPBlock: cidr string, except []string

Role: rules []PolicyRule
ClusterRole: rules []PolicyRule, aggregationRule AggregationRule
AggregationRule: clusterRoleSelectors []LabelSelector
PolicyRule: verbs []string, apiGroups []string, resources []string, resourceNames []string, nonResourceURLs []string
RoleBinding: subjects []Subject, roleRef RoleRef
ClusterRoleBinding: subjects []Subject, roleRef RoleRef
Subject: kind string, apiGroup string, name string, namespace string
RoleRef: apiGroup string, kind string, name string

CertificateSigningRequest: spec CertificateSigningRequestSpec, status CertificateSigningRequestStatus
CertificateSigningRequestSpec: request bytes, signerName string, expirationSeconds int32, usages []string,
  username string, uid string, groups []string, extra {}object
CertificateSigningRequestStatus: conditions []CertificateSigningRequestCondition/type, certificate bytes
CertificateSigningRequestCondition: type string, status string, reason string, message string, lastUpdateTime time,
  lastTransitionTime time

TokenRequest: spec TokenRequestSpec, status TokenRequestStatus
TokenRequestSpec: audiences []string, expirationSeconds int64, boundObjectRef BoundObjectReference
BoundObjectReference: kind string, apiVersion string, name string, uid string
TokenRequestStatus: token string, expirationTimestamp time
TokenReview: spec TokenReviewSpec, status object
TokenReviewSpec: token string, audiences []string
SelfSubjectAccessReview: spec SelfSubjectAccessReviewSpec, status object
SelfSubjectAccessReviewSpec: resourceAttributes ResourceAttributes, nonResourceAttributes NonResourceAttributes
SubjectAccessReview: spec SubjectAccessReviewSpec, status object
LocalSubjectAccessReview: spec SubjectAccessReviewSpec, status object
SubjectAccessReviewSpec: resourceAttributes ResourceAttributes, nonResourceAttributes NonResourceAttributes,
  user string, groups []string, extra object, uid string
ResourceAttributes: namespace string, verb string, group string, version string, resource string, subresource string,
  name string, fieldSelector object, labelSelector object
NonResourceAttributes: path string, verb string
SelfSubjectRulesReview: spec SelfSubjectRulesReviewSpec, status object
SelfSubjectRulesReviewSpec: namespace string
SelfSubjectReview: status object
"""


class Shape(NamedTuple):
    """A type: `form` is one of the plain names, "struct", "list" or "map"; `element` is a list's or map's."""

    form: str
    name: str = ""
    element: Shape | None = None
    merge_key: str = ""  # of a list that strategic patches merge; "=" when its values are the keys


OBJECT = Shape("object")
PLAIN = frozenset({"string", "bool", "int32", "int64", "intstr", "quantity", "time", "bytes", "object", "any"})


def _shape(text: str) -> Shape:
    if text.startswith("[]"):
        element, _, key = text[2:].partition("/")
        return Shape("list", text, _shape(element), key)
    if text.startswith("{}"):
        return Shape("map", text, _shape(text[2:]))
    if text == "labels":
        return Shape("map", text, Shape("string"))
    return Shape(text) if text in PLAIN else Shape("struct", text)


@cache
def _table() -> dict[str, dict[str, Shape]]:
    found: dict[str, dict[str, Shape]] = {}
    for line in TABLE.replace("\n  ", " ").splitlines():
        if line:
            name, _, fields = line.partition(":")
            found[name] = {field: _shape(kind) for field, kind in (part.split() for part in fields.split(","))}
            if {"spec", "status"} & found[name].keys() or name in _WHOLE_OBJECTS:
                found[name] |= {"apiVersion": Shape("string"), "kind": Shape("string"),
                                "metadata": Shape("struct", "ObjectMeta")}
    return found


_WHOLE_OBJECTS = frozenset({"Endpoints", "EndpointSlice", "ConfigMap", "Secret", "ServiceAccount", "Event", "Role",
                            "ClusterRole", "RoleBinding", "ClusterRoleBinding", "ControllerRevision", "PriorityClass",
                            "StorageClass", "RuntimeClass"})


def fields(name: str) -> dict[str, Shape]:
    """The fields of a type of the table; none for a type that is not in it."""
    return _table().get(name, {})


def types() -> dict[str, dict[str, Shape]]:
    """The whole table."""
    return _table()


def of_kind(kind: str) -> Shape:
    """The shape of a kind's objects; any object when the kind is not in the table."""
    return Shape("struct", kind) if kind in _table() else OBJECT


def child(shape: Shape | None, field: str) -> Shape | None:
    """The shape of a field, None when it is not known."""
    if shape is None:
        return None
    if shape.form == "struct":
        return fields(shape.name).get(field)
    return shape.element if shape.form == "map" else None
