"""The signer of client certificates: approved CertificateSigningRequests get theirs from the lab's authority."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable

from netlab.api.certificates import CLIENT_SIGNER, PLURAL
from netlab.api.registry import Registry
from netlab.api.resources.certificates import CLIENT_USAGES
from netlab.controllers.per_object import Name, PerObject
from netlab.model import meta
from netlab.model.errors import LabError

Sign = Callable[[bytes, int, tuple[str, ...]], bytes]
"""Makes a certificate (PEM) of a request, for so many seconds and for these usages; LabError when it is a bad one."""
MOST_SECONDS = 365 * 24 * 3600


class CertificateSigning(PerObject):
    """Signs for kubernetes.io/kube-apiserver-client. Making one takes 10 ms, and it is rare."""

    name = "csrsigning"
    resources = (PLURAL,)

    def __init__(self, registry: Registry, sign: Sign) -> None:
        super().__init__(registry)
        self._sign = sign

    def changed(self) -> Iterable[Name]:
        """The requests that are approved and not signed."""
        for request in self.registry.list(PLURAL):
            types = {condition.get("type") for condition in meta.status(request).get("conditions") or ()}
            if "Approved" in types and "Failed" not in types and not meta.status(request).get("certificate") \
                    and meta.spec(request).get("signerName") == CLIENT_SIGNER:
                yield "", meta.name(request)

    def sync(self, namespace: str, name: str) -> None:
        """Signs one request, or says in its status why it cannot be."""
        request = self.registry.find(PLURAL, name)
        if request is None:
            return
        spec, status = meta.spec(request), meta.status(request)
        usages = tuple(spec.get("usages") or ())
        try:
            if "client auth" not in usages or set(usages) - set(CLIENT_USAGES):
                raise LabError("invalid usage for client certificate: " + ", ".join(usages))
            seconds = min(spec.get("expirationSeconds") or MOST_SECONDS, MOST_SECONDS)
            made = self._sign(b64decode(spec["request"]), seconds, usages)
            status = status | {"certificate": b64encode(made).decode()}
        except LabError as error:
            now = self.registry.now()
            failed = {"type": "Failed", "status": "True", "reason": "SignerValidationFailure", "message": str(error),
                      "lastUpdateTime": now, "lastTransitionTime": now}
            status = status | {"conditions": [*status["conditions"], failed]}
        self.registry.update(PLURAL, request | {"status": status}, subresource="status")
