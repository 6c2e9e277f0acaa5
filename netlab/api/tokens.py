"""Tokens of ServiceAccounts: JSON Web Tokens (RFC 7519) with the claims that upstream's have, signed with HMAC-SHA256.

A token is not stored. It is good as long as its ServiceAccount, and the pod that it was given to, are still the same
objects (by uid), and until it expires.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from typing import Any, Protocol

from netlab.api.users import User, account_user
from netlab.model import meta
from netlab.model.meta import Manifest

HEADER = {"alg": "HS256", "typ": "JWT"}
POD_TOKEN_SECONDS = 365 * 24 * 3600  # what upstream makes of the 3607 seconds that pods ask for
_PRIVATE = "kubernetes.io"
_LASTING = "kubernetes/serviceaccount"  # the issuer that upstream's tokens in Secrets name
_CLAIM = "kubernetes.io/serviceaccount"


class Objects(Protocol):
    """Where ServiceAccounts and pods are looked up."""

    def find(self, resource: str, name: str, namespace: str = "") -> Manifest | None:
        """The object, or None."""


class Issuer:
    """Signs tokens, and knows its own again. `key` is secret; `name` is the issuer and the audience of its tokens.

    `admin` is the administrator's token, which is none of them.
    """

    def __init__(self, key: bytes, name: str, *, admin: str = "") -> None:
        self._key = key
        self._admin = admin
        self.name = name

    def is_admin(self, token: str) -> bool:
        """Whether it is the administrator's."""
        # Bytes, since compare_digest refuses texts with other characters than ASCII.
        return bool(self._admin) and hmac.compare_digest(token.encode(errors="replace"), self._admin.encode())

    def issue(self, account: Manifest, *, now: int, seconds: int, audiences: list[str] | None = None,
              bound: Manifest | None = None) -> str:
        """A token of a ServiceAccount; `bound` is the pod or Secret with which it ends."""
        space = meta.namespace(account)
        private: dict[str, Any] = {"namespace": space,
                                   "serviceaccount": {"name": meta.name(account), "uid": meta.uid(account)}}
        if bound is not None:
            private[str(bound["kind"]).lower()] = {"name": meta.name(bound), "uid": meta.uid(bound)}
        return self._sign({"aud": audiences or [self.name], "exp": now + seconds, "iat": now, "iss": self.name,
                           _PRIVATE: private, "nbf": now,
                           "sub": f"system:serviceaccount:{space}:{meta.name(account)}"})

    def issue_lasting(self, account: Manifest, secret: Manifest) -> str:
        """The token that a Secret holds for a ServiceAccount: it is good as long as the Secret is there with it."""
        space = meta.namespace(account)
        return self._sign({"iss": _LASTING, f"{_CLAIM}/namespace": space,
                           f"{_CLAIM}/secret.name": meta.name(secret),
                           f"{_CLAIM}/service-account.name": meta.name(account),
                           f"{_CLAIM}/service-account.uid": meta.uid(account),
                           "sub": f"system:serviceaccount:{space}:{meta.name(account)}"})

    def user(self, token: str, objects: Objects, *, now: float, audiences: tuple[str, ...] = ()) -> User | None:
        """The ServiceAccount whose token this is, or None when it is none of ours or no longer good.

        It must be meant for one of `audiences`, by default for the API.
        """
        claims = self._claims(token)
        if claims is not None and claims["iss"] == _LASTING:
            return _lasting_user(claims, token, objects) if set(audiences or (self.name,)) & {self.name} else None
        if claims is None or not claims["nbf"] <= now < claims["exp"]:
            return None
        if not set(claims["aud"]) & set(audiences or (self.name,)):
            return None
        private = claims[_PRIVATE]
        space, account = private["namespace"], private["serviceaccount"]
        extra = {}
        for kind, resource in (("serviceaccount", "serviceaccounts"), ("pod", "pods"), ("secret", "secrets")):
            if kind not in private:
                continue
            found = objects.find(resource, private[kind]["name"], space)
            if found is None or meta.uid(found) != private[kind]["uid"]:
                return None
            if kind == "pod":
                extra = {"authentication.kubernetes.io/pod-name": (meta.name(found),),
                         "authentication.kubernetes.io/pod-uid": (meta.uid(found),)}
        return account_user(space, account["name"], uid=account["uid"], extra=extra)

    def _sign(self, claims: dict[str, Any]) -> str:
        text = f"{_encoded(HEADER)}.{_encoded(claims)}"
        return f"{text}.{self._signature(text)}"

    def _signature(self, text: str) -> str:
        return _base64(hmac.new(self._key, text.encode(), hashlib.sha256).digest())

    def _claims(self, token: str) -> dict[str, Any] | None:
        text, _, signature = token.rpartition(".")
        # Bytes, since compare_digest refuses texts with other characters than ASCII.
        if not hmac.compare_digest(self._signature(text).encode(), signature.encode()):
            return None
        data = text.partition(".")[2]
        claims: dict[str, Any] = json.loads(urlsafe_b64decode(data + "=" * (-len(data) % 4)))  # signed: ours
        return claims


def _lasting_user(claims: dict[str, Any], token: str, objects: Objects) -> User | None:
    space, name, uid = (claims[f"{_CLAIM}/{field}"] for field in (
        "namespace", "service-account.name", "service-account.uid"))
    account = objects.find("serviceaccounts", name, space)
    secret = objects.find("secrets", claims[f"{_CLAIM}/secret.name"], space)
    if account is None or secret is None or meta.uid(account) != uid or meta.is_deleting(secret) or \
            (secret.get("data") or {}).get("token") != b64encode(token.encode()).decode():
        return None
    return account_user(space, name, uid=uid)


def _encoded(value: dict[str, Any]) -> str:
    return _base64(json.dumps(value, separators=(",", ":"), sort_keys=True).encode())


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")
