"""The numbers of what pods are made of, as `protobuf.NUMBERS` has them. Source: k8s.io/api/core/v1/generated.proto."""

POD_NUMBERS = """
PodSpec: 1 volumes, 2 containers, 3 restartPolicy, 4 terminationGracePeriodSeconds, 5 activeDeadlineSeconds,
  6 dnsPolicy, 7 nodeSelector, 8 serviceAccountName, 9 serviceAccount, 10 nodeName, 11 hostNetwork, 12 hostPID,
  13 hostIPC, 15 imagePullSecrets, 16 hostname, 17 subdomain, 19 schedulerName, 20 initContainers,
  21 automountServiceAccountToken, 22 tolerations, 23 hostAliases, 24 priorityClassName, 25 priority, 26 dnsConfig,
  27 shareProcessNamespace, 28 readinessGates, 29 runtimeClassName, 30 enableServiceLinks, 31 preemptionPolicy,
  34 ephemeralContainers, 35 setHostnameAsFQDN, 37 hostUsers
Toleration: 1 key, 2 operator, 3 value, 4 effect, 5 tolerationSeconds
HostAlias: 1 ip, 2 hostnames
PodDNSConfig: 1 nameservers, 2 searches, 3 options
PodDNSConfigOption: 1 name, 2 value
PodReadinessGate: 1 conditionType
Container: 1 name, 2 image, 3 command, 4 args, 5 workingDir, 6 ports, 7 env, 8 resources, 9 volumeMounts,
  10 livenessProbe, 11 readinessProbe, 12 lifecycle, 13 terminationMessagePath, 14 imagePullPolicy, 16 stdin,
  17 stdinOnce, 18 tty, 19 envFrom, 20 terminationMessagePolicy, 22 startupProbe, 24 restartPolicy
EphemeralContainer: 1 =EphemeralContainerCommon, 2 targetContainerName
EphemeralContainerCommon: 1 name, 2 image, 3 command, 4 args, 5 workingDir, 6 ports, 7 env, 8 resources,
  9 volumeMounts, 10 livenessProbe, 11 readinessProbe, 12 lifecycle, 13 terminationMessagePath, 14 imagePullPolicy,
  16 stdin, 17 stdinOnce, 18 tty, 19 envFrom, 20 terminationMessagePolicy, 22 startupProbe, 24 restartPolicy
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
