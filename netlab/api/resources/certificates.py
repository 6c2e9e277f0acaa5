"""CertificateSigningRequests: somebody asks for a certificate, somebody approves, a signer signs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from netlab.api.certificates import CLIENT_SIGNER, GROUP, KIND, PLURAL, subject
from netlab.api.columns import NONE, age, duration
from netlab.api.decode import copy
from netlab.api.resource import Column, Objects, Resource
from netlab.model import meta
from netlab.model.errors import FieldError, forbidden, invalid, not_supported, required
from netlab.model.meta import Manifest

CLIENT_USAGES = ("client auth", "digital signature", "key encipherment")
_USAGES = ["any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment",
           "decipher only", "digital signature", "email protection", "encipher only", "ipsec end system",
           "ipsec tunnel", "ipsec user", "key agreement", "key encipherment", "microsoft sgc", "netscape sgc",
           "ocsp signing", "s/mime", "server auth", "signing", "timestamping"]


def _prepare(registry: Objects, new: Manifest, old: Manifest | None) -> None:
    if old is not None:
        new["spec"] = copy(meta.spec(old))  # what was asked for does not change


def _validate(new: Manifest, old: Manifest | None) -> list[FieldError]:
    spec, errors = meta.spec(new), []
    try:
        subject(spec.get("request") or "")
    except ValueError as error:
        errors.append(invalid("spec.request", spec.get("request", ""), str(error)))
    usages = spec.get("usages") or []
    if not usages:
        errors.append(required("spec.usages", "usages must be set"))
    errors += [not_supported(f"spec.usages[{index}]", usage, _USAGES)
               for index, usage in enumerate(usages) if usage not in _USAGES]
    domain, _, path = spec.get("signerName", "").partition("/")
    if not spec.get("signerName"):
        errors.append(required("spec.signerName"))
    elif "." not in domain or not path:
        errors.append(invalid("spec.signerName", spec["signerName"], "must be a fully qualified domain and path of "
                              "the form 'example.com/signer-name'"))
    if spec.get("expirationSeconds", 600) < 600:
        errors.append(invalid("spec.expirationSeconds", spec["expirationSeconds"],
                              "may not specify a duration less than 600 seconds (10 minutes)"))
    return errors


def _validate_status(new: Manifest, old: Manifest | None) -> list[FieldError]:
    conditions, errors = meta.status(new).get("conditions") or [], []
    types = [condition.get("type") for condition in conditions]
    for index, condition in enumerate(conditions):
        path = f"status.conditions[{index}]"
        if not condition.get("type"):
            errors.append(required(f"{path}.type"))
        if not condition.get("status"):
            errors.append(required(f"{path}.status"))
        elif condition.get("type") in ("Approved", "Denied", "Failed") and condition["status"] != "True":
            errors.append(not_supported(f"{path}.status", condition["status"], ["True"]))
        if (condition.get("type") == "Denied" and "Approved" in types[:index]) or \
                (condition.get("type") == "Approved" and "Denied" in types[:index]):
            errors.append(invalid(f"{path}.type", condition["type"],
                                  "Approved and Denied conditions are mutually exclusive"))
    errors += [forbidden("status.conditions", f'updates may not remove a condition of type "{condition["type"]}"')
               for condition in meta.status(old or {}).get("conditions") or ()
               if condition.get("type") in ("Approved", "Denied", "Failed") and condition["type"] not in types]
    return errors


def _warn(new: Manifest, old: Manifest | None) -> list[str]:
    signer = meta.spec(new).get("signerName", "")
    if old is None and signer.startswith("kubernetes.io/") and signer != CLIENT_SIGNER:
        return [f"nothing in this lab signs for {signer}: of Kubernetes's signers it has {CLIENT_SIGNER}"]
    return []


def _row(manifest: Manifest, now: datetime) -> list[Any]:
    spec, status = meta.spec(manifest), meta.status(manifest)
    types = {condition.get("type") for condition in status.get("conditions") or ()}
    words = [word for word in ("Denied", "Approved") if word in types][:1] or ["Pending"]
    words += ["Failed"] if "Failed" in types else []
    words += ["Issued"] if status.get("certificate") else []
    asked = spec.get("expirationSeconds")
    return [meta.name(manifest), age(manifest, now), spec.get("signerName", NONE), spec.get("username", ""),
            NONE if asked is None else duration(asked), ",".join(words)]


CERTIFICATESIGNINGREQUESTS = Resource(
    PLURAL, KIND, GROUP, namespaced=False, short_names=("csr",), subresources=("approval", "status"),
    prepare=_prepare, validate=_validate, validate_status=_validate_status, warnings=_warn,
    columns=(Column("Name"), Column("Age"), Column("SignerName"), Column("Requestor"), Column("RequestedDuration"),
             Column("Condition")), row=_row)
