"""Secrets of type kubernetes.io/service-account-token: filled with a token, and gone with their ServiceAccount."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable

from netlab.api.registry import Registry
from netlab.api.service_accounts import ACCOUNT_NAME, ACCOUNT_UID, TOKEN_SECRET
from netlab.controllers.per_object import Name, PerObject
from netlab.model import meta
from netlab.model.errors import ApiError
from netlab.model.meta import Manifest


class AccountTokens(PerObject):
    """Upstream's token controller; `ca` is the certificate of the API's authority."""

    name = "serviceaccount-token"
    resources = ("secrets", "serviceaccounts")

    def __init__(self, registry: Registry, ca: str) -> None:
        super().__init__(registry)
        self._ca = ca

    def changed(self) -> Iterable[Name]:
        """The token Secrets that are not as they should be: there are few."""
        return {(meta.namespace(secret), meta.name(secret)) for secret in self.registry.list("secrets")
                if secret.get("type") == TOKEN_SECRET and not meta.is_deleting(secret) and not self._is_right(secret)}

    def _account(self, secret: Manifest) -> Manifest | None:
        name, uid = (meta.annotations(secret).get(key, "") for key in (ACCOUNT_NAME, ACCOUNT_UID))
        found = self.registry.find("serviceaccounts", name, meta.namespace(secret))
        return found if found and uid in ("", meta.uid(found)) else None

    def _is_right(self, secret: Manifest) -> bool:
        return self._account(secret) is not None and ACCOUNT_UID in meta.annotations(secret) and \
            self._fixed(secret).items() <= (secret.get("data") or {}).items() and "token" in secret["data"]

    def _fixed(self, secret: Manifest) -> dict[str, str]:
        return {"ca.crt": b64encode(self._ca.encode()).decode(),
                "namespace": b64encode(meta.namespace(secret).encode()).decode()}

    def sync(self, namespace: str, name: str) -> None:
        """Fills one Secret, or deletes it when its account is gone or is another of the same name."""
        secret, issuer = self.registry.find("secrets", name, namespace), self.registry.issuer
        if secret is None or issuer is None:
            return
        account = self._account(secret)
        if account is None:
            try:
                self.registry.delete("secrets", name, namespace=namespace, uid=meta.uid(secret))
            except ApiError as error:
                if error.code not in (404, 409):
                    raise
            return
        data = {**(secret.get("data") or {}), **self._fixed(secret)}
        if "token" not in data:
            data["token"] = b64encode(issuer.issue_lasting(account, secret).encode()).decode()
        notes = {**meta.annotations(secret), ACCOUNT_UID: meta.uid(account)}
        self.registry.update("secrets", secret | {
            "metadata": {**secret["metadata"], "annotations": notes}, "data": data})
