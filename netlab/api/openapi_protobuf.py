"""OpenAPI 2 documents as protobuf: the message openapi.v2.Document of gnostic, as far as the API's documents need it.

Source: github.com/google/gnostic, openapiv2/OpenAPIv2.proto. Numbers are those of its fields.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

_METHODS = {"get": 2, "put": 3, "post": 4, "delete": 5, "patch": 8}
_TEXTS = {"$ref": 1, "format": 2, "title": 3, "description": 4}
_PARAMETER = {"query": 3, "path": 4}  # the member of NonBodyParameter; its type stands at 6 and 5


def encode(document: Mapping[str, Any]) -> bytes:
    """The document's bytes."""
    info = _text(1, document["info"]["title"]) + _text(2, document["info"]["version"])
    paths = _named(2, ((name, _path_item(item)) for name, item in document["paths"].items()))
    definitions = _named(1, ((name, _schema(schema)) for name, schema in document["definitions"].items()))
    return _text(1, document["swagger"]) + _bytes(2, info) + _bytes(8, paths) + _bytes(9, definitions)


def _path_item(item: Mapping[str, Any]) -> bytes:
    found = b"".join(_bytes(number, _operation(item[method])) for method, number in _METHODS.items() if method in item)
    return found + b"".join(_bytes(9, _parameter(parameter)) for parameter in item.get("parameters", ()))


def _operation(operation: Mapping[str, Any]) -> bytes:
    responses = _named(1, ((code, _bytes(1, _text(1, response["description"])))
                           for code, response in operation["responses"].items()))
    parameters = b"".join(_bytes(8, _parameter(parameter)) for parameter in operation["parameters"])
    return _text(5, operation["operationId"]) + parameters + _bytes(9, responses) + _extensions(13, operation)


def _parameter(parameter: Mapping[str, Any]) -> bytes:
    place = parameter["in"]
    body = _flag(1, value=parameter.get("required", False)) + _text(2, place) + _text(4, parameter["name"])
    if place == "query":
        body += _text(6, parameter["type"]) + _flag(20, value=parameter.get("uniqueItems", False))
    else:
        body += _text(5, parameter["type"])
    return _bytes(1, _bytes(2, _bytes(_PARAMETER[place], body)))  # ParametersItem, Parameter, NonBodyParameter


def _schema(schema: Mapping[str, Any]) -> bytes:
    found = b"".join(_text(number, schema[key]) for key, number in _TEXTS.items() if key in schema)
    if "default" in schema:
        found += _bytes(5, _any(schema["default"]))
    found += b"".join(_text(19, name) for name in schema.get("required", ()))
    found += b"".join(_bytes(20, _any(value)) for value in schema.get("enum", ()))
    if "additionalProperties" in schema:
        found += _bytes(21, _bytes(1, _schema(schema["additionalProperties"])))
    if "type" in schema:
        found += _bytes(22, _text(1, schema["type"]))
    if "items" in schema:
        found += _bytes(23, _bytes(1, _schema(schema["items"])))
    if "properties" in schema:
        found += _bytes(25, _named(1, ((name, _schema(value)) for name, value in schema["properties"].items())))
    return found + _extensions(31, schema)


def _extensions(number: int, value: Mapping[str, Any]) -> bytes:
    return _named(number, ((key, _any(item)) for key, item in value.items() if key.startswith("x-")))


def _any(value: Any) -> bytes:
    return _text(2, json.dumps(value))  # JSON is YAML


def _named(number: int, pairs: Iterable[tuple[str, bytes]]) -> bytes:
    return b"".join(_bytes(number, _text(1, name) + _bytes(2, value)) for name, value in pairs)


def _text(number: int, value: str) -> bytes:
    return _bytes(number, value.encode())


def _flag(number: int, *, value: bool) -> bytes:
    return _varint(number << 3) + b"\1" if value else b""


def _bytes(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    found.append(number)
    return bytes(found)
