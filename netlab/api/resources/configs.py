"""ConfigMaps, Secrets and ServiceAccounts: stored, and given to pods."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from datetime import datetime
from typing import Any

from netlab.api.columns import age
from netlab.api.object_rules import unchanged
from netlab.api.resource import Column, Resource
from netlab.api.service_accounts import ACCOUNT_NAME, TOKEN_SECRET
from netlab.model import meta
from netlab.model.errors import FieldError, forbidden, invalid, required
from netlab.model.meta import Manifest

_KEY = "[-._a-zA-Z0-9]+"
_KEY_TEXT = ("a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or "
             f"'KEY_NAME',  or 'key-name', regex used for validation is '{_KEY}')")
_SEALED = "field is immutable when `immutable` is set"


def _validate(new: Manifest, old: Manifest | None) -> list[FieldError]:
    errors = []
    for field in ("data", "binaryData"):
        for key in new.get(field) or {}:
            if not re.fullmatch(_KEY, key) or len(key) > 253:
                errors.append(invalid(f"{field}[{key}]", key, _KEY_TEXT))
            elif field == "binaryData" and key in (new.get("data") or {}):
                errors.append(invalid(f"{field}[{key}]", key, "duplicate of key present in data"))
    if old is not None and old.get("immutable"):
        if not new.get("immutable"):
            errors.append(forbidden("immutable", _SEALED))
        errors += [forbidden(field, _SEALED) for field in ("data", "binaryData") if new.get(field) != old.get(field)]
    return errors


_NEEDED = {"kubernetes.io/tls": ("tls.crt", "tls.key"), "kubernetes.io/dockercfg": (".dockercfg",),
           "kubernetes.io/dockerconfigjson": (".dockerconfigjson",), "kubernetes.io/ssh-auth": ("ssh-privatekey",)}


def _validate_secret(new: Manifest, old: Manifest | None) -> list[FieldError]:
    errors, data, kind = _validate(new, old), new.get("data") or {}, new["type"]
    errors += [required(f"data[{key}]") for key in _NEEDED.get(kind, ()) if key not in data]
    if kind == "kubernetes.io/basic-auth" and not {"username", "password"} & data.keys():
        errors += [required("data[username]"), required("data[password]")]
    if kind == TOKEN_SECRET and not meta.annotations(new).get(ACCOUNT_NAME):
        errors.append(required(f"metadata.annotations[{ACCOUNT_NAME}]"))
    for key in (".dockercfg", ".dockerconfigjson"):
        if key in data and key in _NEEDED.get(kind, ()) and not _is_json(data[key]):
            errors.append(invalid(f"data[{key}]", "<secret contents redacted>", "invalid character in JSON"))
    if old is not None:
        errors += unchanged(kind, old.get("type"), "type")
    return errors


def _is_json(text: str) -> bool:
    try:
        json.loads(b64decode(text))
    except ValueError:
        return False
    return True


def _default_secret(manifest: Manifest) -> None:
    manifest["type"] = manifest.get("type") or "Opaque"
    plain = manifest.pop("stringData", None)
    if plain:
        manifest["data"] = {**(manifest.get("data") or {}),
                            **{key: b64encode(value.encode()).decode() for key, value in plain.items()}}


def _count(manifest: Manifest) -> int:
    return len(manifest.get("data") or {}) + len(manifest.get("binaryData") or {})


def _row(manifest: Manifest, now: datetime) -> list[Any]:
    return [meta.name(manifest), _count(manifest), age(manifest, now)]


def _secret_row(manifest: Manifest, now: datetime) -> list[Any]:
    return [meta.name(manifest), manifest.get("type", ""), _count(manifest), age(manifest, now)]


def _account_row(manifest: Manifest, now: datetime) -> list[Any]:
    return [meta.name(manifest), len(manifest.get("secrets") or ()), age(manifest, now)]


CONFIGMAPS = Resource("configmaps", "ConfigMap", short_names=("cm",), subresources=(), validate=_validate,
                      columns=(Column("Name"), Column("Data", 0, "integer"), Column("Age")), row=_row)
SECRETS = Resource("secrets", "Secret", subresources=(), default=_default_secret, validate=_validate_secret,
                   columns=(Column("Name"), Column("Type"), Column("Data", 0, "integer"), Column("Age")),
                   row=_secret_row)
SERVICEACCOUNTS = Resource("serviceaccounts", "ServiceAccount", short_names=("sa",), subresources=("token",),
                           columns=(Column("Name"), Column("Secrets", 0, "integer"), Column("Age")), row=_account_row)
