"""What EndpointSlices say of Endpoints that a user made (upstream: pkg/controller/endpointslicemirroring)."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import Any, NamedTuple

from netlab.controllers.endpoints import LEADER
from netlab.controllers.port_order import Port, slice_order
from netlab.controllers.slice_content import MANAGED_BY, SERVICE_NAME
from netlab.controllers.slice_filling import Endpoint, identity
from netlab.controllers.trigger_times import LAST_CHANGE
from netlab.model import addresses, meta
from netlab.model.meta import Manifest

CONTROLLER = "endpointslicemirroring-controller.k8s.io"
SKIP = "endpointslice.kubernetes.io/skip-mirror"
CAPACITY = 1000  # addresses per subset, and endpoints per slice
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class Mirror(NamedTuple):
    """The slices of some Endpoints; how many of their addresses are none, and how many are not in the slices in all."""

    slices: tuple[Manifest, ...]
    invalid: int
    skipped: int


def is_mirrored(endpoints: Manifest, service: Manifest) -> bool:
    """Whether these Endpoints are a user's, for a Service that has no selector."""
    return meta.labels(endpoints).get(SKIP) != "true" and LEADER not in meta.annotations(endpoints) \
        and not meta.is_deleting(endpoints) and not meta.spec(service).get("selector")


def key_of(part: Manifest) -> tuple[str, str]:
    """What there is one slice for: the family, and the ports in any order."""
    return part["addressType"], repr(slice_order(part.get("ports") or ()))


def mirror(endpoints: Manifest) -> Mirror:
    """The slices that say the same, one per family and set of ports; addresses that are none are left out."""
    found: dict[tuple[str, str], tuple[tuple[Port, ...], dict[tuple[str, ...], Endpoint]]] = {}
    invalid = skipped = 0
    for subset in endpoints.get("subsets") or ():
        ports, added = slice_order(subset.get("ports") or ()), 0
        entries = [(entry, field == "addresses") for field in ("addresses", "notReadyAddresses")
                   for entry in subset.get(field) or ()]
        for entry, ready in entries:
            if added >= CAPACITY:
                break
            try:
                address = addresses.parse(entry["ip"])
            except ValueError:
                invalid += 1
                continue
            # Written as it should be, which it may not be in the Endpoints: 010.1.2.3, ::ffff:10.1.2.3
            plain = (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
            family, endpoint = f"IPv{plain.version}", _endpoint(entry, str(plain), ready=ready)
            found.setdefault((family, repr(ports)), (ports, {}))[1][identity(endpoint)] = endpoint
            added += 1
        skipped += len(entries) - added
    slices = [_slice(endpoints, family, ports, list(found[family, key][1].values())[:CAPACITY])
              for (family, key), (ports, _) in found.items()]
    return Mirror(tuple(slices), invalid, skipped)


def _slice(endpoints: Manifest, family: str, ports: tuple[Port, ...], entries: list[Endpoint]) -> Manifest:
    notes = {key: value for key, value in meta.annotations(endpoints).items()
             if key not in (_LAST_APPLIED, LAST_CHANGE)}
    labels = meta.labels(endpoints) | {SERVICE_NAME: meta.name(endpoints), MANAGED_BY: CONTROLLER}
    return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"generateName": f"{meta.name(endpoints)}-", "namespace": meta.namespace(endpoints),
                         "labels": labels, "annotations": notes, "ownerReferences": [meta.owner_reference(endpoints)]},
            "addressType": family, "endpoints": entries, "ports": list(ports)}


def _endpoint(entry: dict[str, Any], address: str, *, ready: bool) -> Endpoint:
    fields = {key: entry[key] for key in ("hostname", "nodeName", "targetRef") if entry.get(key)}
    return {"addresses": [address], "conditions": {"ready": ready}} | fields
