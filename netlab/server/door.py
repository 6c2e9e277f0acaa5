"""Who may come in by the network: credentials and host names of a request, looked at before its body."""

from __future__ import annotations

import hmac
import time
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from netlab.api.attributes import Attributes, refusal
from netlab.api.rbac import decide
from netlab.api.registry import Registry
from netlab.api.users import ACCOUNT_PREFIX, ADMIN, ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED, User, account_groups
from netlab.model.errors import ApiError


class Door:
    """Knows who shows the administrator's token, a ServiceAccount's or a certificate, and asks for one of `hosts`.

    A name that an attacker's web page was given for this address (DNS rebinding) is none of them.
    """

    def __init__(self, registry: Registry, *, token: str, hosts: Iterable[str]) -> None:
        self._registry = registry
        self._token = token.encode()
        self._hosts = frozenset(hosts)

    def admit(self, headers: Mapping[str, str], certificate: Mapping[str, Any] | None = None) -> User:
        """The user of a request with these headers (names in lower case); ANONYMOUS when it shows no credential.

        `certificate` is what TLS has verified (`SSLSocket.getpeercert`). ApiError 401 for a token that is none, 403
        for a host name that is not the API's.
        """
        host = headers.get("host", "")
        if _host(f"//{host}") not in self._hosts:
            raise ApiError(403, "Forbidden", f'forbidden: the API is not known by the name "{host[:100]}"')
        origin = headers.get("origin")
        if origin is not None and _host(origin) not in self._hosts:
            raise ApiError(403, "Forbidden", f'forbidden: origin "{origin[:100]}" is not allowed')
        return self._impersonated(named_by(certificate) or self._user(headers), headers)

    def _user(self, headers: Mapping[str, str]) -> User:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        token = token.strip()
        if scheme.lower() == "bearer" and token:
            # Bytes, since compare_digest refuses texts with other characters than ASCII.
            if hmac.compare_digest(token.encode(errors="replace"), self._token):
                return ADMIN
            issuer = self._registry.issuer
            user = issuer.user(token, self._registry, now=time.time()) if issuer else None
            if user is not None:
                return user
            raise ApiError(401, "Unauthorized", "Unauthorized")
        return ANONYMOUS

    def _impersonated(self, user: User, headers: Mapping[str, str]) -> User:
        """Who the request shall be made as (`kubectl --as`, `--as-group`, `--as-uid`): the user himself if he may."""
        name = headers.get("impersonate-user", "")
        groups = [group.strip() for group in headers.get("impersonate-group", "").split(",") if group.strip()]
        uid = headers.get("impersonate-uid", "")
        if not name:
            if groups or uid:
                raise ApiError(500, "InternalError", "Internal error occurred: requested "
                               f"{groups or uid} without impersonating a user")
            return user
        account = name.removeprefix(ACCOUNT_PREFIX).split(":") if name.startswith(ACCOUNT_PREFIX) else []
        wanted = [Attributes("impersonate", resource="serviceaccounts", namespace=account[0], name=account[1])
                  if len(account) == 2 else Attributes("impersonate", resource="users", name=name)]
        wanted += [Attributes("impersonate", resource="groups", name=group) for group in groups]
        wanted += [Attributes("impersonate", "authentication.k8s.io", "uids", name=uid)] if uid else []
        for wish in wanted:
            allowed, reason = decide(self._registry, user, wish)
            if not allowed:
                raise refusal(user.name, wish, reason)
        if not groups and len(account) == 2:
            groups = list(account_groups(account[0]))
        everybody = UNAUTHENTICATED if name == ANONYMOUS.name else AUTHENTICATED
        if not {AUTHENTICATED, UNAUTHENTICATED} & set(groups):
            groups.append(everybody)
        return User(name, tuple(groups), uid)


def named_by(certificate: Mapping[str, Any] | None) -> User | None:
    """The user that a client certificate names: its CN, in the groups of its O's. None without a name."""
    fields = [pair for part in (certificate or {}).get("subject", ()) for pair in part]
    names = [value for key, value in fields if key == "commonName"]
    if not names or not names[-1]:
        return None
    groups = dict.fromkeys(value for key, value in fields if key == "organizationName")
    return User(names[-1], tuple(group for group in groups if group != UNAUTHENTICATED) + (
        () if AUTHENTICATED in groups else (AUTHENTICATED,)))


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""
