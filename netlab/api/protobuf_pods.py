"""The numbers of what pods are made of, as `protobuf.NUMBERS` has them. Source: k8s.io/api/core/v1/generated.proto."""

POD_NUMBERS = """
PodSpec: 1 volumes, 2 containers, 3 restartPolicy, 4 terminationGracePeriodSeconds, 5 activeDeadlineSeconds,
  6 dnsPolicy, 7 nodeSelector, 8 serviceAccountName, 9 serviceAccount, 10 nodeName, 11 hostNetwork, 12 hostPID,
  13 hostIPC, 14 securityContext, 15 imagePullSecrets, 16 hostname, 17 subdomain, 18 affinity, 19 schedulerName,
  20 initContainers,
  21 automountServiceAccountToken, 22 tolerations, 23 hostAliases, 24 priorityClassName, 25 priority, 26 dnsConfig,
  27 shareProcessNamespace, 28 readinessGates, 29 runtimeClassName, 30 enableServiceLinks, 31 preemptionPolicy,
  32 overhead, 33 topologySpreadConstraints, 34 ephemeralContainers, 35 setHostnameAsFQDN, 36 os, 37 hostUsers,
  38 schedulingGates
Toleration: 1 key, 2 operator, 3 value, 4 effect, 5 tolerationSeconds
PodSecurityContext: 1 seLinuxOptions, 2 runAsUser, 3 runAsNonRoot, 4 supplementalGroups, 5 fsGroup, 6 runAsGroup,
  7 sysctls, 8 windowsOptions, 9 fsGroupChangePolicy, 10 seccompProfile, 11 appArmorProfile,
  12 supplementalGroupsPolicy, 13 seLinuxChangePolicy
SecurityContext: 1 capabilities, 2 privileged, 3 seLinuxOptions, 4 runAsUser, 5 runAsNonRoot,
  6 readOnlyRootFilesystem, 7 allowPrivilegeEscalation, 8 runAsGroup, 9 procMount, 10 windowsOptions,
  11 seccompProfile, 12 appArmorProfile
Capabilities: 1 add, 2 drop
SELinuxOptions: 1 user, 2 role, 3 type, 4 level
SeccompProfile: 1 type, 2 localhostProfile
AppArmorProfile: 1 type, 2 localhostProfile
WindowsSecurityContextOptions: 1 gmsaCredentialSpecName, 2 gmsaCredentialSpec, 3 runAsUserName, 4 hostProcess
Sysctl: 1 name, 2 value
Affinity: 1 nodeAffinity, 2 podAffinity, 3 podAntiAffinity
NodeAffinity: 1 requiredDuringSchedulingIgnoredDuringExecution, 2 preferredDuringSchedulingIgnoredDuringExecution
NodeSelector: 1 nodeSelectorTerms
NodeSelectorTerm: 1 matchExpressions, 2 matchFields
NodeSelectorRequirement: 1 key, 2 operator, 3 values
PreferredSchedulingTerm: 1 weight, 2 preference
PodAffinity: 1 requiredDuringSchedulingIgnoredDuringExecution, 2 preferredDuringSchedulingIgnoredDuringExecution
PodAntiAffinity: 1 requiredDuringSchedulingIgnoredDuringExecution, 2 preferredDuringSchedulingIgnoredDuringExecution
PodAffinityTerm: 1 labelSelector, 2 namespaces, 3 topologyKey, 4 namespaceSelector, 5 matchLabelKeys,
  6 mismatchLabelKeys
WeightedPodAffinityTerm: 1 weight, 2 podAffinityTerm
TopologySpreadConstraint: 1 maxSkew, 2 topologyKey, 3 whenUnsatisfiable, 4 labelSelector, 5 minDomains,
  6 nodeAffinityPolicy, 7 nodeTaintsPolicy, 8 matchLabelKeys
PodOS: 1 name
PodSchedulingGate: 1 name
VolumeDevice: 1 name, 2 devicePath
ContainerResizePolicy: 1 resourceName, 2 restartPolicy
HostAlias: 1 ip, 2 hostnames
PodDNSConfig: 1 nameservers, 2 searches, 3 options
PodDNSConfigOption: 1 name, 2 value
PodReadinessGate: 1 conditionType
Container: 1 name, 2 image, 3 command, 4 args, 5 workingDir, 6 ports, 7 env, 8 resources, 9 volumeMounts,
  10 livenessProbe, 11 readinessProbe, 12 lifecycle, 13 terminationMessagePath, 14 imagePullPolicy,
  15 securityContext, 16 stdin, 17 stdinOnce, 18 tty, 19 envFrom, 20 terminationMessagePolicy, 21 volumeDevices,
  22 startupProbe, 23 resizePolicy, 24 restartPolicy
EphemeralContainer: 1 =EphemeralContainerCommon, 2 targetContainerName
EphemeralContainerCommon: 1 name, 2 image, 3 command, 4 args, 5 workingDir, 6 ports, 7 env, 8 resources,
  9 volumeMounts, 10 livenessProbe, 11 readinessProbe, 12 lifecycle, 13 terminationMessagePath, 14 imagePullPolicy,
  15 securityContext, 16 stdin, 17 stdinOnce, 18 tty, 19 envFrom, 20 terminationMessagePolicy, 21 volumeDevices,
  22 startupProbe, 23 resizePolicy, 24 restartPolicy
ContainerPort: 1 name, 2 hostPort, 3 containerPort, 4 protocol, 5 hostIP
EnvVar: 1 name, 2 value, 3 valueFrom
EnvVarSource: 1 fieldRef, 2 resourceFieldRef, 3 configMapKeyRef, 4 secretKeyRef
ObjectFieldSelector: 1 apiVersion, 2 fieldPath
ResourceFieldSelector: 1 containerName, 2 resource, 3 divisor
ConfigMapKeySelector: 1 =LocalObjectReference, 2 key, 3 optional
SecretKeySelector: 1 =LocalObjectReference, 2 key, 3 optional
EnvFromSource: 1 prefix, 2 configMapRef, 3 secretRef
ConfigMapEnvSource: 1 =LocalObjectReference, 2 optional
SecretEnvSource: 1 =LocalObjectReference, 2 optional
ResourceRequirements: 1 limits, 2 requests
VolumeMount: 1 name, 2 readOnly, 3 mountPath, 4 subPath, 5 mountPropagation, 6 subPathExpr, 7 recursiveReadOnly
Probe: 1 =ProbeHandler, 2 initialDelaySeconds, 3 timeoutSeconds, 4 periodSeconds, 5 successThreshold,
  6 failureThreshold, 7 terminationGracePeriodSeconds
ProbeHandler: 1 exec, 2 httpGet, 3 tcpSocket, 4 grpc
ExecAction: 1 command
HTTPGetAction: 1 path, 2 port, 3 host, 4 scheme, 5 httpHeaders
HTTPHeader: 1 name, 2 value
TCPSocketAction: 1 port, 2 host
GRPCAction: 1 port, 2 service
Lifecycle: 1 postStart, 2 preStop, 3 stopSignal
LifecycleHandler: 1 exec, 2 httpGet, 3 tcpSocket, 4 sleep
SleepAction: 1 seconds
Volume: 1 name, 2 =VolumeSource
VolumeSource: 1 hostPath, 2 emptyDir, 6 secret, 16 downwardAPI, 19 configMap, 26 projected
HostPathVolumeSource: 1 path, 2 type
EmptyDirVolumeSource: 1 medium, 2 sizeLimit
SecretVolumeSource: 1 secretName, 2 items, 3 defaultMode, 4 optional
ConfigMapVolumeSource: 1 =LocalObjectReference, 2 items, 3 defaultMode, 4 optional
ProjectedVolumeSource: 1 sources, 2 defaultMode
VolumeProjection: 1 secret, 2 downwardAPI, 3 configMap, 4 serviceAccountToken
SecretProjection: 1 =LocalObjectReference, 2 items, 4 optional
ConfigMapProjection: 1 =LocalObjectReference, 2 items, 4 optional
DownwardAPIProjection: 1 items
DownwardAPIVolumeSource: 1 items, 2 defaultMode
DownwardAPIVolumeFile: 1 path, 2 fieldRef, 3 resourceFieldRef, 4 mode
ServiceAccountTokenProjection: 1 audience, 2 expirationSeconds, 3 path
KeyToPath: 1 key, 2 path, 3 mode
"""
