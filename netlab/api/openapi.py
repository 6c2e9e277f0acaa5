"""OpenAPI: what kubectl checks manifests by, merges lists by, and explains. Made when it is first asked for."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import Any

from netlab.api import openapi_custom, openapi_paths
from netlab.api.discovery import REVIEW_GROUPS, VERSION
from netlab.api.openapi_protobuf import encode
from netlab.api.openapi_schemas import schemas
from netlab.api.request import Request
from netlab.api.resource import Resource
from netlab.api.response import Response, dump, json_response
from netlab.api.served import Served
from netlab.api.shapes import of_identity

PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"  # asked for with @ in place of the first .v1
_ROOT = "/openapi/v3/"
_INFO = {"title": "Kubernetes", "version": VERSION["gitVersion"]}
_FOR_EVER = (("Cache-Control", "public, immutable"), ("Vary", "Accept"))


_OBJECT_META = ("ObjectMeta", dict[str, str]())


def respond(request: Request, served: Served) -> Response | None:
    """The answer below /openapi, None for any other path."""
    path = request.path
    if path == "/openapi/v2":
        if "proto-openapi" in request.headers.get("accept", ""):
            return Response(200, version2_protobuf(served), PROTOBUF)
        return Response(200, dump(version2(served)))
    if path == "/openapi/v3":
        return json_response({"paths": {
            place: {"serverRelativeURL": f"{_ROOT}{place}?hash={_hash(served, *version)}"}
            for place, version in _places(served).items()}})
    version = _places(served).get(path.removeprefix(_ROOT)) if path.startswith(_ROOT) else None
    if version is None:
        return None
    same = request.text("hash") == _hash(served, *version)
    return Response(200, _bytes(served, *version), headers=_FOR_EVER if same else ())


@lru_cache(maxsize=2)
def _places(served: Served) -> dict[str, tuple[str, str]]:
    """Group and version by where their document is: `apis/apps/v1`."""
    found = {kind.prefix[1:]: (kind.group, kind.version) for kind in served.everything()}
    return found | {f"apis/{group}/v1": (group, "v1") for group in REVIEW_GROUPS}


@lru_cache(maxsize=200)
def _bytes(served: Served, group: str, version: str) -> bytes:
    return dump(version3(served, group, version))


@lru_cache(maxsize=200)
def _hash(served: Served, group: str, version: str) -> str:
    return sha256(_bytes(served, group, version)).hexdigest().upper()


def version3(served: Served, group: str, version: str) -> dict[str, Any]:
    """The OpenAPI 3 document of one version of a group."""
    found = list(openapi_paths.operations(served, group, version))
    return {"openapi": "3.0.0", "info": _INFO, "paths": openapi_paths.document(iter(found), 3),
            "components": {"schemas": _schemas(served.kinds(group, version), found, 3)}}


@lru_cache(maxsize=2)
def version2(served: Served) -> dict[str, Any]:
    """The OpenAPI 2 document of all groups. Never change it."""
    found = [operation for group, version in _places(served).values()
             for operation in openapi_paths.operations(served, group, version)]
    return {"swagger": "2.0", "info": _INFO, "paths": openapi_paths.document(iter(found), 2),
            "definitions": _schemas(served.everything(), found, 2)}


@lru_cache(maxsize=2)
def version2_protobuf(served: Served) -> bytes:
    """The same as gnostic's message openapi.v2.Document, which is how kubectl asks for it."""
    return encode(version2(served))


def _schemas(kinds: list[Resource], found: list[openapi_paths.Operation], version: int) -> dict[str, Any]:
    custom = [(kind, kind.schema) for kind in kinds if kind.schema is not None]
    known = schemas([*_kinds(found), *([_OBJECT_META] if custom else [])], version)
    return known | openapi_custom.schemas(custom, version)


def _kinds(found: list[openapi_paths.Operation]) -> list[tuple[str, dict[str, str]]]:
    """The kinds with a schema that the operations are about, each once."""
    identities = {tuple(operation.identity.values()): operation.identity for operation in found}
    named = [(of_identity(identity["group"], identity["version"], identity["kind"]), identity)
             for identity in identities.values()]
    return [(name, identity) for name, identity in named if name]
