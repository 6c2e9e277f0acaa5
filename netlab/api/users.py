"""Who asks: name and groups, as authentication gives them and authorisation reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
ACCOUNT_PREFIX = "system:serviceaccount:"
ACCOUNTS = "system:serviceaccounts"


@dataclass(frozen=True)
class User:
    """An authenticated client. `extra` says more of its credential, such as the pod that it was given to."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)

    @property
    def is_master(self) -> bool:
        """Whether it may do everything, whatever roles say."""
        return MASTERS in self.groups and not self.is_stranger

    @property
    def is_stranger(self) -> bool:
        """Whether it has shown no credential, or acts as one who has not."""
        return UNAUTHENTICATED in self.groups

    def info(self) -> dict[str, object]:
        """As reviews show it (UserInfo of authentication.k8s.io)."""
        found = {"username": self.name, "uid": self.uid, "groups": list(self.groups),
                 "extra": {key: list(values) for key, values in self.extra.items()}}
        return {key: value for key, value in found.items() if value}


ADMIN = User("kubernetes-admin", (MASTERS, AUTHENTICATED))
ANONYMOUS = User("system:anonymous", (UNAUTHENTICATED,))


def account_groups(namespace: str) -> tuple[str, ...]:
    """The groups of every ServiceAccount of a namespace."""
    return ACCOUNTS, f"{ACCOUNTS}:{namespace}", AUTHENTICATED


def account_user(namespace: str, name: str, *, uid: str = "", extra: Mapping[str, tuple[str, ...]] | None = None,
                 ) -> User:
    """A ServiceAccount as a user."""
    return User(f"{ACCOUNT_PREFIX}{namespace}:{name}", account_groups(namespace), uid, dict(extra or {}))
