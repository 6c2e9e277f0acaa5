"""One HTTP request as a value, and what its query says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from netlab.api import go_json, protobuf
from netlab.api.decode import Doubled
from netlab.api.patch import APPLY, TYPES
from netlab.api.users import ADMIN, User
from netlab.model.errors import ApiError, bad_request, unsupported_media_type

BODY_LIMIT = 3 * 1024 * 1024  # bytes, as upstream
YAML_TYPES = ("application/yaml", APPLY)


@dataclass(frozen=True)
class Request:
    """A request. `path` is decoded and has no trailing slash; header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    read_only: bool = False  # it came by a socket that may only read
    target: str = ""  # path and query as they were sent
    user: User = ADMIN  # who comes by a unix socket is root

    @classmethod
    def from_target(cls, method: str, target: str, headers: Mapping[str, str], body: bytes = b"", *,
                    read_only: bool = False, user: User = ADMIN) -> Request:
        """The request for a request line's target, such as `/api/v1/pods?watch=true`."""
        try:
            parts = urlsplit(target)
            query = parse_qs(parts.query, keep_blank_values=True, max_num_fields=200)
        except ValueError as error:
            raise bad_request(f"the request's target cannot be read: {error}") from None
        path = unquote(parts.path).rstrip("/") or "/"
        return cls(method, path, {key: tuple(values) for key, values in query.items()}, headers, body, read_only,
                   target, user)

    def text(self, name: str, default: str = "") -> str:
        """A query parameter, the last one when it is given several times."""
        return self.query.get(name, (default,))[-1]

    def flag(self, name: str) -> bool:
        """A boolean query parameter; `True` and `1` are true, an empty value is too."""
        if name not in self.query:
            return False
        value = self.text(name).lower()
        if value in ("1", "true", "t", ""):
            return True
        if value in ("0", "false", "f"):
            return False
        raise bad_request(f'invalid value for query parameter {name}: "{self.text(name)}"')

    def number(self, name: str) -> int | None:
        """A non-negative number of the query, None when absent."""
        value = self.text(name)
        if not value:
            return None
        if not (value.isascii() and value.isdigit() and len(value) < 19):
            raise bad_request(f'invalid value for query parameter {name}: "{value[:100]}"')
        return int(value)

    @property
    def content_type(self) -> str:
        """The body's media type without parameters, `application/json` when not given."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower() or "application/json"

    @property
    def dry_run(self) -> bool:
        """Whether nothing shall be stored."""
        values = self.query.get("dryRun", ())
        if any(value not in ("All", "") for value in values):
            raise bad_request(f'Invalid value: "{values[-1]}": supported values: "All"')
        return "All" in values

    def json(self) -> Any:
        """The body of a write, from JSON, YAML or protobuf. ApiError 400 when it is malformed, 415 when it is none."""
        kind = self.content_type
        if kind == protobuf.MEDIA_TYPE:
            return protobuf.decode(self.body)
        if kind in YAML_TYPES:
            return parse_yaml(self.body)
        if kind != "application/json" and kind not in TYPES:
            raise unsupported_media_type(["application/json", "application/yaml"])
        return parse_json(self.body)


def parse_json(body: bytes) -> Any:
    """What the text says; ApiError 400 when it is no JSON that can be stored and given back."""
    if len(body) > BODY_LIMIT:
        raise too_large()
    try:
        text = body.decode()
        value = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_object)
        if "\\u" in text:
            try:
                json.dumps(value, ensure_ascii=False).encode()
            except UnicodeEncodeError:  # lone surrogates
                value = json.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace"))
        return value
    except RecursionError:
        raise bad_request("the object provided is unrecognized: it is nested too deeply") from None
    except ValueError as error:
        raise bad_request(f"the object provided is unrecognized (must be of type Object): couldn't get version/kind; "
                          f"json parse error: {go_json.problem(error)}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    doubled = Doubled(made)
    names = [name for name, _ in pairs]
    doubled.names = tuple(dict.fromkeys(name for name in names if names.count(name) > 1))
    return doubled


def parse_yaml(body: bytes) -> Any:
    """JSON, or YAML without aliases, whose expansion has no bound."""
    if body.lstrip()[:1] in (b"{", b"["):
        return parse_json(body)
    import yaml

    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(body, yaml.SafeLoader)):
            raise bad_request("the object provided is unrecognized: YAML aliases are not supported")
        return parse_json(json.dumps(yaml.load(body, yaml.SafeLoader), default=str).encode())
    except RecursionError:
        raise bad_request("the object provided is unrecognized: it is nested too deeply") from None
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError) as error:
        # PyYAML lets through what Python says to values that do not fit their tags, such as `!!timestamp x`.
        raise bad_request(f"the object provided is unrecognized: yaml parse error: {str(error)[:300]}") from None


def too_large() -> ApiError:
    """413: the body is above the limit."""
    return ApiError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {BODY_LIMIT}")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
