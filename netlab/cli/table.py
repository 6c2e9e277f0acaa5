"""The API server's Table answers as kubectl prints them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from netlab.model import meta


def render(table: Mapping[str, Any], *, wide: bool = False, namespaces: bool = False, labels: bool = False,
           headers: bool = True, prefix: str = "") -> str:
    """The lines of a Table; `prefix` (`pod/`) is put before every name. "" when there is nothing to print."""
    columns = table.get("columnDefinitions") or []
    shown = [index for index, column in enumerate(columns) if wide or not column.get("priority")]
    head = [str(columns[index]["name"]).upper() for index in shown]
    if namespaces:
        head.insert(0, "NAMESPACE")
    if labels:
        head.append("LABELS")
    rows = []
    for row in table.get("rows") or []:
        cells = [_cell(row["cells"][index]) for index in shown]
        if cells and prefix:
            cells[0] = prefix + cells[0]
        data = row.get("object") or {}
        if namespaces:
            cells.insert(0, meta.namespace(data))
        if labels:
            cells.append(",".join(f"{k}={v}" for k, v in sorted(meta.labels(data).items())) or "<none>")
        rows.append(cells)
    return align([head, *rows] if headers and head else rows)


def align(rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell and three spaces between, the last one as it is."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))] if rows else []
    lines = ("   ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "".join(line.rstrip() + "\n" for line in lines)


def plain(items: Iterable[Mapping[str, Any]]) -> str:
    """Names only, for a server that gives no Table."""
    return align([["NAME"], *([meta.name(item)] for item in items)])


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
