"""What Go's JSON decoder says of a text that is no JSON (encoding/json, scanner.go)."""

from __future__ import annotations

import json
import re

_WHERE = {"Expecting value": "looking for beginning of value", "Extra data": "after top-level value",
          "Expecting property name enclosed in double quotes": "looking for beginning of object key string",
          "Illegal trailing comma before end of object": "looking for beginning of object key string",
          "Illegal trailing comma before end of array": "looking for beginning of value",
          "Expecting ':' delimiter": "after object key", "Invalid control character at": "in string literal"}
_STRING = re.compile(r'"(\\.|[^"\\])*"', re.DOTALL)


def problem(error: ValueError) -> str:
    """The error of Python's decoder in Go's words; other errors as they are."""
    if isinstance(error, UnicodeDecodeError):
        return f"invalid character {_quoted(chr(error.object[error.start]))} looking for beginning of value"
    if not isinstance(error, json.JSONDecodeError):
        return str(error)
    text, place = error.doc, error.pos
    if not error.msg.startswith("Invalid control"):
        place += len(text[place:]) - len(text[place:].lstrip(" \t\r\n"))
    if error.msg.startswith("Illegal trailing comma"):
        place = text.find("}" if error.msg.endswith("object") else "]", place)
    if place >= len(text) or error.msg.startswith("Unterminated string"):
        return "unexpected end of JSON input"
    if error.msg.startswith("Invalid \\"):
        return f"invalid character {_quoted(text[min(place + 1, len(text) - 1)])} in string escape code"
    if error.msg == "Expecting ',' delimiter":
        return f"invalid character {_quoted(text[place])} after {_inside(text[:place])}"
    return f"invalid character {_quoted(text[place])} {_WHERE.get(error.msg, 'looking for beginning of value')}"


def _inside(before: str) -> str:
    depth = 0
    for sign in reversed(_STRING.sub("", before)):
        depth += (sign in "}]") - (sign in "{[")
        if depth < 0:
            return "object key:value pair" if sign == "{" else "array element"
    return "top-level value"


def _quoted(sign: str) -> str:
    if sign == "'":
        return r"'\''"
    return "'\"'" if sign == '"' else "'" + json.dumps(sign, ensure_ascii=False)[1:-1] + "'"
