"""The grammar of label selectors: `a=b,c!=d,e in (f,g),!h`. Source: k8s.io/apimachinery, pkg/labels/selector.go."""

from __future__ import annotations

import re

from netlab.model.errors import ApiError, FieldError, bad_request, invalid
from netlab.model.names import label_value, qualified_name
from netlab.model.selectors import Requirement, Selector

_TOKEN = re.compile(r"[ \t\r\n]*(==|!=|[=!(),<>]|[^ \t\r\n=!(),<>]+)")
_EQUAL = {"=": "in", "==": "in", "!=": "notin", ">": "gt", "<": "lt"}
_BINARY = "in, notin, =, ==, !=, gt, lt"


def parse(text: str) -> Selector:
    """The labelSelector query parameter. ApiError 400 in upstream's words when malformed."""
    return _Parser(_TOKEN.findall(text)).selector()


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._position = 0

    def selector(self) -> Selector:
        found: list[Requirement] = []
        while self._next:
            if not self._named and self._next != "!":
                raise _expected(self._next, "!, identifier, or 'end of string'")
            try:
                found.append(self._requirement())
            except ApiError as error:
                raise bad_request(f"unable to parse requirement: {error.message}") from None
            if not self._next:
                break
            separator = self._take()
            if separator != ",":
                raise _expected(separator, "',' or 'end of string'")
            if not self._named and self._next != "!":
                raise _expected(self._next, "identifier after ','")
        return Selector(tuple(found))

    @property
    def _next(self) -> str:
        return self._tokens[self._position] if self._position < len(self._tokens) else ""

    @property
    def _named(self) -> bool:
        return self._next[:1] not in ("", "=", "!", "(", ")", ",", "<", ">")

    def _take(self) -> str:
        token = self._next
        self._position += 1
        return token

    def _requirement(self) -> Requirement:
        absent = self._next == "!"
        if absent:
            self._take()
        if not self._named:
            raise _expected(self._next, "identifier")
        key = self._take()
        if wrong := qualified_name(key):
            raise _refused([invalid("<nil>", key, "; ".join(wrong))])
        if absent or self._next in ("", ","):
            return Requirement(key, "!" if absent else "exists")
        operator = self._take()
        if operator in ("in", "notin"):
            return _checked(key, operator, self._values())
        if operator not in _EQUAL:
            raise _expected(operator, _BINARY)
        value = ""
        if self._next not in ("", ","):
            if not self._named:
                raise _expected(self._next, "identifier")
            value = self._take()
        return _checked(key, _EQUAL[operator], {value})

    def _values(self) -> set[str]:
        opening = self._take()
        if opening != "(":
            raise bad_request(f"found '{opening}' expected: '('")
        if self._next != ")" and self._next != "," and not self._named:
            raise _expected(self._next, "',', ')' or identifier")
        values, value = set(), ""
        while True:
            token = self._take()
            if token in (",", ")"):
                values.add(value)
                value = ""
                if token == ")":
                    return values
            elif value or token in ("", "=", "==", "!=", "!", "(", "<", ">"):
                raise _expected(token, "',' or ')'" if value else "',', or identifier")
            else:
                value = token


def _checked(key: str, operator: str, values: set[str]) -> Requirement:
    errors = []
    for index, value in enumerate(sorted(values)):
        if operator in ("gt", "lt") and not re.fullmatch("[+-]?[0-9]{1,18}", value):
            errors.append(invalid(f"values[{index}]", value, "for 'Gt', 'Lt' operators, the value must be an integer"))
        if wrong := label_value(value):
            errors.append(invalid(f"values[{index}][{key}]", value, "; ".join(wrong)))
    if errors:
        raise _refused(errors)
    return Requirement(key, operator, frozenset(values))


def _refused(errors: list[FieldError]) -> ApiError:
    return bad_request(str(errors[0]) if len(errors) == 1 else f"[{', '.join(map(str, errors))}]")


def _expected(found: str, wanted: str) -> ApiError:
    return bad_request(f"found '{found}', expected: {wanted}")
