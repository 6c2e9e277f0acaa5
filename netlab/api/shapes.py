"""The fields of every type of the API, as one table: for decoding, patches, field managers, OpenAPI and explain.

The table lies in `fields/*.txt`, a line for a type: `Name: field type, field! type, ...`; a line that begins with
`kind` is a whole object, with apiVersion, kind and metadata. `[package]` stands above the types of a Go
package, by the name that OpenAPI has for it. `!` marks a field that must be there. A field's type is

- string, bool, int32, int64, object (any JSON object), any; intstr, quantity, time, microtime; bytes (base64);
  labels (a map of strings);
- another type of the table; a line `Name = string A B` names a plain type and its values, if only these are allowed;
- `[]T`, a list that is replaced as a whole; `[]T/key`, one whose items are merged by that key (server-side apply may
  need more: `/key+other`); `[]T/=`, a set of plain values; `{}T`, a map.

`&atomic` after a type: it is owned as a whole. `&retainKeys` after a field: strategic patches drop what they do not
name.
Two types of one name: the second is `package.Name`. Source: the API reference, and the tags of k8s.io/api.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

FILES = Path(__file__).parent / "fields"


class Shape(NamedTuple):
    """A type: `form` is one of the plain names, "struct", "list" or "map"; `element` is a list's or map's."""

    form: str
    name: str = ""  # of a struct or a named plain type
    element: Shape | None = None
    merge_key: str = ""  # of a list that strategic patches merge; "=" when its values are the keys
    more_keys: tuple[str, ...] = ()  # what server-side apply needs besides
    marks: frozenset[str] = frozenset()  # atomic, retainKeys; of custom kinds: loose, open
    inline: Mapping[str, Shape] | None = None  # the fields of a struct without a name


class Type(NamedTuple):
    """A line of the table. A plain type has a `form` and no fields."""

    name: str
    package: str
    fields: dict[str, Shape]
    required: tuple[str, ...] = ()
    form: str = ""
    values: tuple[str, ...] = ()  # the only ones allowed
    atomic: bool = False


OBJECT = Shape("object")
_PACKAGES = {"apiextensions.k8s.io": "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions"}
PLAIN = frozenset({"string", "bool", "int32", "int64", "bytes", "object", "any"})
_SHORT = {"intstr": "IntOrString", "quantity": "Quantity", "time": "Time", "microtime": "MicroTime"}
_OBJECT_FIELDS = {"apiVersion": Shape("string"), "kind": Shape("string"), "metadata": Shape("struct", "ObjectMeta")}


@cache
def types() -> dict[str, Type]:
    """The whole table by the names that it has for types."""
    lines = [(package, line) for path in sorted(FILES.glob("*.txt")) for package, line in _lines(path.read_text())]
    plain: dict[str, Type] = {}
    for package, line in lines:
        name, equal, rest = line.partition(" = ")
        if equal:
            form, *values = rest.split()
            plain[name] = Type(name, package, {}, form=form,
                               values=tuple("" if value == '""' else value for value in values))
    found = dict(plain)
    for package, line in lines:
        head, colon, rest = line.partition(": ")
        if not colon:
            continue
        name, *marks = head.removeprefix("kind ").split()
        pairs = [part.split() for part in rest.split(",") if part.strip()]
        fields = dict(_OBJECT_FIELDS) if head.startswith("kind ") else {}
        fields |= {field.rstrip("!"): _shape(text, plain) for field, text in pairs}
        required = tuple(field[:-1] for field, _ in pairs if field.endswith("!"))
        found[name] = Type(name, package, fields, required, atomic="&atomic" in marks)
    return found


def _lines(text: str) -> list[tuple[str, str]]:
    found, package = [], ""
    for line in text.replace("\n  ", " ").splitlines():
        if line.startswith("["):
            package = line[1:-1]
        elif line and not line.startswith("#"):
            found.append((package, line))
    return found


def _shape(text: str, plain: dict[str, Type]) -> Shape:
    text, *marks = text.split("&")
    if text.startswith("[]"):
        element, _, keys = text[2:].partition("/")
        key, *more = keys.split("+")
        return Shape("list", text, _shape(element, plain), key, tuple(more), frozenset(marks))
    if text.startswith("{}") or text == "labels":
        return Shape("map", text, _shape(text[2:] if text != "labels" else "string", plain), marks=frozenset(marks))
    if text in PLAIN:
        return Shape(text)
    name = _SHORT.get(text, text)
    return Shape(plain[name].form, name) if name in plain else Shape("struct", name, marks=frozenset(marks))


def fields(name: str) -> dict[str, Shape]:
    """The fields of a type of the table; none for a type that is not in it."""
    found = types().get(name)
    return found.fields if found else {}


def fields_of(shape: Shape) -> Mapping[str, Shape]:
    """The fields of a struct."""
    return fields(shape.name) if shape.inline is None else shape.inline


def go_name(name: str) -> str:
    """A type as Go prints it: `v1.ServiceSpec`."""
    found = types().get(name)
    package = found.package.rpartition(".")[2] if found else "v1"
    return f"{package}.{bare(name)}"


def bare(name: str) -> str:
    """A type's own name."""
    return name.rpartition(".")[2]


def is_atomic(shape: Shape) -> bool:
    """Whether a map or struct is owned as a whole."""
    return "atomic" in shape.marks or (shape.form == "struct" and shape.name in types() and types()[shape.name].atomic)


@cache
def _by_model() -> dict[str, str]:
    return {f"{known.package}.{bare(name)}": name for name, known in types().items()}


def of_identity(group: str, version: str, kind: str) -> str:
    """The name that the table has for a kind of one version of a group; empty when it has none."""
    package = _PACKAGES.get(group) or f"io.k8s.api.{group.partition('.')[0] or 'core'}"
    return _by_model().get(f"{package}.{version}.{kind}", "")


def of_kind(kind: str) -> Shape:
    """The shape of a kind's objects; any object when the kind is not in the table."""
    return Shape("struct", kind) if kind in types() else OBJECT


def child(shape: Shape | None, field: str) -> Shape | None:
    """The shape of a field, None when it is not known."""
    if shape is None:
        return None
    if shape.form == "struct":
        return fields_of(shape).get(field)
    return shape.element if shape.form == "map" else None
