"""The controllers of a control plane; the nodes' own (kubelet, kube-proxy) are not among them."""

from __future__ import annotations

from netlab.api.registry import Registry
from netlab.controllers.account_tokens import AccountTokens
from netlab.controllers.autoscalers import Autoscalers
from netlab.controllers.cronjobs import CronJobs
from netlab.controllers.daemonsets import DaemonSets
from netlab.controllers.definitions import Definitions
from netlab.controllers.deployments import Deployments
from netlab.controllers.disruptions import Disruptions
from netlab.controllers.endpoints import Endpoints
from netlab.controllers.endpointslice_mirroring import EndpointSliceMirroring
from netlab.controllers.endpointslices import EndpointSlices
from netlab.controllers.every_namespace import root_certificates, service_accounts
from netlab.controllers.garbage_collector import GarbageCollector
from netlab.controllers.jobs import Jobs
from netlab.controllers.kubernetes_service import KubernetesService
from netlab.controllers.namespaces import Namespaces
from netlab.controllers.node_lifecycle import NodeLifecycle
from netlab.controllers.pod_gc import PodGC
from netlab.controllers.replicasets import ReplicaSets, ReplicationControllers
from netlab.controllers.resource_quotas import ResourceQuotas
from netlab.controllers.runtime import Controller
from netlab.controllers.scheduler import Scheduler
from netlab.controllers.service_cidrs import ServiceCIDRs
from netlab.controllers.statefulsets import StatefulSets
from netlab.controllers.taint_eviction import TaintEviction
from netlab.controllers.volume_claims import VolumeClaims


def control_plane(registry: Registry, *, api_address: str, api_port: int, ca: str = "") -> list[Controller]:
    """All of them, not started.

    `api_address` and `api_port` are where the API server answers inside of the lab, `ca` the certificate of its
    authority.
    """
    return [
        Namespaces(registry), GarbageCollector(registry), Definitions(registry),
        service_accounts(registry), *([root_certificates(registry, ca), AccountTokens(registry, ca)] if ca else []),
        ServiceCIDRs(registry), KubernetesService(registry, address=api_address, port=api_port),
        Deployments(registry), ReplicaSets(registry), ReplicationControllers(registry), StatefulSets(registry),
        DaemonSets(registry),
        CronJobs(registry), Jobs(registry), Scheduler(registry), ResourceQuotas(registry),
        NodeLifecycle(registry), TaintEviction(registry), PodGC(registry),
        Disruptions(registry), Autoscalers(registry), VolumeClaims(registry),
        EndpointSlices(registry), Endpoints(registry), EndpointSliceMirroring(registry),
    ]
