"""CertificateSigningRequests: who asks, who may approve, and the name that the request is for.

Source: pkg/registry/certificates, plugin/pkg/admission/certificates.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

from netlab.api.attributes import Attributes
from netlab.api.rbac import decide
from netlab.api.resource import Objects
from netlab.api.users import MASTERS, User
from netlab.model import meta
from netlab.model.errors import forbidden_request
from netlab.model.meta import Manifest

KIND, PLURAL, GROUP = "CertificateSigningRequest", "certificatesigningrequests", "certificates.k8s.io"
CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client"
_NAMES = {b"\x55\x04\x03": "CN", b"\x55\x04\x0a": "O"}
_PEM = re.compile(rb"\s*-----BEGIN CERTIFICATE REQUEST-----\s(?P<data>[A-Za-z0-9+/=\s]+)"
                  rb"-----END CERTIFICATE REQUEST-----\s*")


def sign_in(manifest: Manifest, user: User) -> None:
    """Writes into a new request who asks. ApiError 403 when it asks to be an administrator of the cluster."""
    spec = manifest.setdefault("spec", {})
    for field in ("username", "uid", "groups", "extra"):
        spec.pop(field, None)
    spec |= {key: value for key, value in (("username", user.name), ("uid", user.uid), ("groups", list(user.groups)),
                                           ("extra", {k: list(v) for k, v in user.extra.items()})) if value}
    try:
        groups = subject(spec.get("request") or "").get("O", [])
    except ValueError:
        return  # validation says so
    if spec.get("signerName") == CLIENT_SIGNER and MASTERS in groups:
        raise forbidden_request(PLURAL, meta.name(manifest), f"use of {CLIENT_SIGNER} signer with {MASTERS} group is "
                                "not allowed", GROUP)


def check_approval(registry: Objects, user: User, request: Manifest) -> None:
    """ApiError 403 unless the user may approve for the request's signer."""
    signer = meta.spec(request).get("signerName", "")
    names = (signer, f"{signer.partition('/')[0]}/*")
    if not any(decide(registry, user, Attributes("approve", GROUP, "signers", name=name))[0] for name in names):
        raise forbidden_request(PLURAL, meta.name(request), "user not permitted to approve requests with signerName "
                                f'"{signer}"', GROUP)


def approved(old: dict[str, Any], new: dict[str, Any], *, now: str) -> dict[str, Any]:
    """The status after an approval: its conditions, with times; nothing else of it is taken over."""
    before = {condition.get("type"): condition for condition in old.get("conditions") or ()}
    conditions = []
    for condition in new.get("conditions") or ():
        known = before.get(condition.get("type"), {})
        times = {"lastUpdateTime": condition.get("lastUpdateTime") or now,
                 "lastTransitionTime": known.get("lastTransitionTime") or condition.get("lastTransitionTime") or now}
        conditions.append(condition | times)
    return {**old, "conditions": conditions}


def subject(request: str) -> dict[str, list[str]]:
    """CN and O's of a request, which is base64 of PEM. ValueError when it is none."""
    found = _PEM.fullmatch(b64decode(request))
    if found is None:
        raise ValueError("PEM block type must be CERTIFICATE REQUEST")
    try:
        whole = next(_parts(b64decode(b"".join(found["data"].split()))))[1]
        about = next(_parts(whole))[1]
        (_, _), (_, name), *_ = _parts(about)
        result: dict[str, list[str]] = {}
        for _, relative in _parts(name):
            for _, pair in _parts(relative):
                (_, identifier), (_, value) = _parts(pair)
                if identifier in _NAMES:
                    result.setdefault(_NAMES[identifier], []).append(value.decode(errors="replace"))
        return result
    except (StopIteration, IndexError):
        raise ValueError("asn1: structure error") from None


def _parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of the values that follow each other (X.690, definite lengths)."""
    place = 0
    while place < len(data):
        tag, size, place = data[place], data[place + 1], place + 2
        if size & 0x80:
            count = size & 0x7F
            size, place = int.from_bytes(data[place:place + count], "big"), place + count
        if place + size > len(data):
            raise ValueError("asn1: syntax error: data truncated")
        yield tag, data[place:place + size]
        place += size
