"""The kinds that a lab serves, by plural name; the order is that of discovery."""

from netlab.api.resource import Resource
from netlab.api.resources.autoscalers import HORIZONTALPODAUTOSCALERS
from netlab.api.resources.certificates import CERTIFICATESIGNINGREQUESTS
from netlab.api.resources.configs import CONFIGMAPS, SECRETS, SERVICEACCOUNTS
from netlab.api.resources.controllerrevisions import CONTROLLERREVISIONS
from netlab.api.resources.cronjobs import CRONJOBS
from netlab.api.resources.daemonsets import DAEMONSETS
from netlab.api.resources.definitions import CUSTOMRESOURCEDEFINITIONS
from netlab.api.resources.deployments import DEPLOYMENTS
from netlab.api.resources.disruptions import PODDISRUPTIONBUDGETS
from netlab.api.resources.endpoints import ENDPOINTS
from netlab.api.resources.endpointslices import ENDPOINTSLICES
from netlab.api.resources.events import EVENTS
from netlab.api.resources.ingresses import INGRESSCLASSES, INGRESSES
from netlab.api.resources.jobs import JOBS
from netlab.api.resources.leases import LEASES
from netlab.api.resources.limits import LIMITRANGES, RESOURCEQUOTAS
from netlab.api.resources.namespaces import NAMESPACES
from netlab.api.resources.networkpolicies import NETWORKPOLICIES
from netlab.api.resources.nodes import NODES
from netlab.api.resources.pods import PODS
from netlab.api.resources.priorities import PRIORITYCLASSES
from netlab.api.resources.replicasets import REPLICASETS
from netlab.api.resources.replicationcontrollers import REPLICATIONCONTROLLERS
from netlab.api.resources.roles import CLUSTERROLEBINDINGS, CLUSTERROLES, ROLEBINDINGS, ROLES
from netlab.api.resources.service_cidrs import IPADDRESSES, SERVICECIDRS
from netlab.api.resources.services import SERVICES
from netlab.api.resources.statefulsets import STATEFULSETS
from netlab.api.resources.storage import PERSISTENTVOLUMECLAIMS, PERSISTENTVOLUMES, RUNTIMECLASSES, STORAGECLASSES

RESOURCES: dict[str, Resource] = {
    resource.plural: resource
    for resource in (PODS, REPLICATIONCONTROLLERS, SERVICES, NAMESPACES, NODES, ENDPOINTS, CONFIGMAPS, SECRETS,
                     SERVICEACCOUNTS, EVENTS,
                     RESOURCEQUOTAS, LIMITRANGES, DEPLOYMENTS, REPLICASETS, STATEFULSETS, DAEMONSETS,
                     CONTROLLERREVISIONS, JOBS, CRONJOBS, ENDPOINTSLICES, INGRESSES, INGRESSCLASSES, NETWORKPOLICIES,
                     IPADDRESSES, SERVICECIDRS,
                     ROLES, ROLEBINDINGS, CLUSTERROLES, CLUSTERROLEBINDINGS, LEASES, CERTIFICATESIGNINGREQUESTS,
                     HORIZONTALPODAUTOSCALERS, PODDISRUPTIONBUDGETS, PRIORITYCLASSES, PERSISTENTVOLUMECLAIMS,
                     PERSISTENTVOLUMES, STORAGECLASSES, RUNTIMECLASSES, CUSTOMRESOURCEDEFINITIONS)
}
