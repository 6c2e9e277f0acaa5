"""Cluster DNS as kubeadm leaves it: CoreDNS's configuration, its pods and their Service."""

from __future__ import annotations

from netlab.model.lab_spec import LabSpec
from netlab.model.meta import Manifest

LABELS = {"k8s-app": "kube-dns"}
CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
COREFILE = """.:53 {{
    errors
    health {{
       lameduck 5s
    }}
    ready
    kubernetes {domain} in-addr.arpa ip6.arpa {{
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }}
    prometheus :9153
    forward . /etc/resolv.conf {{
       max_concurrent 1000
    }}
    cache 30 {{
       disable success {domain}
       disable denial {domain}
    }}
    loop
    reload
    loadbalance
}}
"""


def configuration(spec: LabSpec) -> Manifest:
    """kube-system/coredns: the Corefile."""
    return {"metadata": {"name": "coredns", "namespace": "kube-system"},
            "data": {"Corefile": COREFILE.format(domain=spec.cluster_domain)}}


def service(spec: LabSpec) -> Manifest:
    """kube-system/kube-dns at the lab's DNS address."""
    labels = LABELS | {"kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS"}
    ports = [{"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53},
             {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53},
             {"name": "metrics", "port": 9153, "protocol": "TCP", "targetPort": 9153}]
    return {"metadata": {"name": "kube-dns", "namespace": "kube-system", "labels": labels,
                         "annotations": {"prometheus.io/port": "9153", "prometheus.io/scrape": "true"}},
            "spec": {"clusterIP": str(spec.dns_ip), "selector": LABELS, "ports": ports}}


def deployment(spec: LabSpec) -> Manifest:
    """kube-system/coredns: two pods with the lab's own DNS server."""
    container = {
        "name": "coredns", "image": "registry.k8s.io/coredns/coredns:v1.12.0", "imagePullPolicy": "IfNotPresent",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "resources": {"limits": {"memory": "170Mi"}, "requests": {"cpu": "100m", "memory": "70Mi"}},
        "volumeMounts": [{"name": "config-volume", "mountPath": "/etc/coredns", "readOnly": True}],
        "ports": [{"containerPort": 53, "name": "dns", "protocol": "UDP"},
                  {"containerPort": 53, "name": "dns-tcp", "protocol": "TCP"},
                  {"containerPort": 9153, "name": "metrics", "protocol": "TCP"}],
        "livenessProbe": {"httpGet": {"path": "/health", "port": 8080, "scheme": "HTTP"}, "initialDelaySeconds": 60,
                          "timeoutSeconds": 5, "successThreshold": 1, "failureThreshold": 5},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181, "scheme": "HTTP"}},
        "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                            "capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]}},
    }
    pod = {"priorityClassName": "system-cluster-critical", "dnsPolicy": "Default", "serviceAccountName": "coredns",
           "nodeSelector": {"kubernetes.io/os": "linux"},
           "containers": [container],
           "volumes": [{"name": "config-volume",
                        "configMap": {"name": "coredns", "items": [{"key": "Corefile", "path": "Corefile"}]}}],
           "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"},
                           {"key": CONTROL_PLANE, "effect": "NoSchedule"}]}
    return {"metadata": {"name": "coredns", "namespace": "kube-system", "labels": LABELS},
            "spec": {"replicas": 2, "selector": {"matchLabels": LABELS},
                     "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
                     "template": {"metadata": {"labels": LABELS}, "spec": pod}}}
