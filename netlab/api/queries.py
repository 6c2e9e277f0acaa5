"""What the queries of requests ask for: a part of a collection, a revision, how strict a check shall be."""

from __future__ import annotations

from netlab.api import field_labels
from netlab.api.request import Request
from netlab.api.routes import Route
from netlab.api.watch import View
from netlab.model.errors import bad_request
from netlab.model.selector_syntax import parse
from netlab.model.selectors import FieldSelector, parse_fields


def revision(request: Request) -> int | None:
    """The resourceVersion of the query; None for "" and "0", which ask for none."""
    text = request.text("resourceVersion")
    if text and not (text.isascii() and text.isdigit() and len(text) < 19):
        raise bad_request(f'Invalid value: "{text[:100]}": invalid resource version')
    return int(text or 0) or None


def view(request: Request, route: Route) -> View:
    """The objects that the path and the selectors choose."""
    fields = field_labels.resolve(route.kind, parse_fields(request.text("fieldSelector")))
    names = {term.value for term in fields.terms if term.path == "metadata.name" and term.equal}
    if len(names) == 1:
        rest = tuple(term for term in fields.terms if not (term.path == "metadata.name" and term.equal))
        name = names.pop()
        if name:
            return View(route.kind, route.namespace, parse(request.text("labelSelector")), FieldSelector(rest), name)
    return View(route.kind, route.namespace, parse(request.text("labelSelector")), fields)


def validation(request: Request) -> str:
    """What shall happen about unknown and duplicate fields: Strict, Warn or Ignore."""
    wanted = request.text("fieldValidation") or "Warn"
    if wanted not in ("Strict", "Warn", "Ignore"):
        raise bad_request(f'fieldValidation: Unsupported value: "{wanted}": supported values: "Ignore", '
                          '"Strict", "Warn"')
    return wanted
