"""What ServiceAccounts do for pods and people: the volume with a token that every pod gets, and TokenRequests.

Source: plugin/pkg/admission/serviceaccount, and pkg/registry/core/serviceaccount/storage/token.go.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from netlab.api.decode import decode
from netlab.api.resource import Objects
from netlab.model import meta
from netlab.model.errors import FieldError, bad_request, forbidden_request, invalid, invalid_object
from netlab.model.errors import conflict as conflicting
from netlab.model.meta import Manifest

if TYPE_CHECKING:
    from netlab.api.tokens import Issuer

MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
VOLUME_PREFIX = "kube-api-access-"
ROOT_CA = "kube-root-ca.crt"
TOKEN_SECRET = "kubernetes.io/service-account-token"
ACCOUNT_NAME, ACCOUNT_UID = "kubernetes.io/service-account.name", "kubernetes.io/service-account.uid"
TOKEN_SECONDS = 3607  # odd, so that a volume that was given by the server is known again
DEFAULT_SECONDS, LEAST_SECONDS, MOST_SECONDS = 3600, 600, 1 << 32
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_BOUND = {"Pod": "pods", "Secret": "secrets"}


def give_token(registry: Objects, pod: Manifest) -> None:
    """Puts the volume with token, CA and namespace into a new pod. ApiError 403 when its account is not there.

    The account `default` may still be missing: its namespace may be so new that its controller has not seen it.
    """
    spec = pod["spec"]
    name, space = spec["serviceAccountName"], meta.namespace(pod)
    account = registry.find("serviceaccounts", name, space)
    if account is None and name != "default":
        raise forbidden_request("pods", meta.name(pod),
                                f'error looking up service account {space}/{name}: serviceaccount "{name}" not found')
    automatic = spec.get("automountServiceAccountToken")
    if automatic is None:
        automatic = (account or {}).get("automountServiceAccountToken")
    if automatic is False:
        return
    wanting = [container for field in ("initContainers", "containers") for container in spec.get(field) or ()
               if all(mount.get("mountPath") != MOUNT_PATH for mount in container.get("volumeMounts") or ())]
    if not wanting:
        return
    volume = next((v["name"] for v in spec.get("volumes") or () if v.get("name", "").startswith(VOLUME_PREFIX)), "")
    if not volume:
        volume = VOLUME_PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(5))
        spec["volumes"] = [*(spec.get("volumes") or ()), {"name": volume, "projected": _projected()}]
    for container in wanting:
        container["volumeMounts"] = [*(container.get("volumeMounts") or ()),
                                     {"name": volume, "readOnly": True, "mountPath": MOUNT_PATH}]


def _projected() -> dict[str, Any]:
    field = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    return {"defaultMode": 420, "sources": [
        {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": "token"}},
        {"configMap": {"name": ROOT_CA, "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": field}]}}]}


def token_request(registry: Objects, issuer: Issuer, account: Manifest, body: Any, *, dry_run: bool) -> Manifest:
    """The TokenRequest of a ServiceAccount with its status. ApiError 422 for a duration that is not offered."""
    version = "authentication.k8s.io/v1"
    request = decode(body, "TokenRequest", version)
    spec = request.get("spec") or {}
    seconds = spec.get("expirationSeconds") or DEFAULT_SECONDS
    errors: list[FieldError] = []
    if seconds < LEAST_SECONDS:
        errors.append(invalid("spec.expirationSeconds", seconds, "may not specify a duration less than 10 minutes"))
    if seconds > MOST_SECONDS:
        errors.append(invalid("spec.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds"))
    if errors:
        raise invalid_object("TokenRequest", meta.name(account), errors, "authentication.k8s.io")
    bound = _bound(registry, account, spec.get("boundObjectRef"))
    now = registry.clock()
    audiences = spec.get("audiences") or [issuer.name]
    token = issuer.issue(account, now=int(now.timestamp()), seconds=seconds, audiences=audiences, bound=bound)
    return {"kind": "TokenRequest", "apiVersion": version,
            "metadata": {"name": meta.name(account), "namespace": meta.namespace(account),
                         "creationTimestamp": meta.timestamp(now)},
            "spec": {"audiences": audiences, "expirationSeconds": seconds,
                     "boundObjectRef": spec.get("boundObjectRef")},
            "status": {"token": "" if dry_run else token,
                       "expirationTimestamp": meta.timestamp(now + timedelta(seconds=seconds))}}


def _bound(registry: Objects, account: Manifest, reference: dict[str, Any] | None) -> Manifest | None:
    if not reference:
        return None
    kind, name, space = reference.get("kind", ""), reference.get("name", ""), meta.namespace(account)
    if kind not in _BOUND:
        raise bad_request(f"cannot bind token for serviceaccount to object type /v1, Kind={kind}")
    found = registry.get(_BOUND[kind], name, space)
    if reference.get("uid") not in (None, "", meta.uid(found)):
        raise conflicting(_BOUND[kind], name, detail=f"the UID in the bound object reference ({reference['uid']}) "
                          f"does not match the UID in record. The object might have been deleted and then recreated")
    if kind == "Pod" and meta.spec(found).get("serviceAccountName") != meta.name(account):
        raise bad_request(f'cannot bind token for serviceaccount "{meta.name(account)}" to pod running with different '
                          "serviceaccount name.")
    return found
