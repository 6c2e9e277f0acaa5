"""Lists in pages, and lists of an earlier revision: `limit`, `continue`, `resourceVersion`, `resourceVersionMatch`.

Source: the API concepts "Retrieving large results sets in chunks" and "Resource versions". A page is of the revision of
the first one: what was written since is undone by the store's history.
"""

from __future__ import annotations

import base64
import binascii
import json
from bisect import bisect_right
from dataclasses import dataclass

from netlab.api import go_json
from netlab.api.request import Request
from netlab.api.watch import View
from netlab.model.errors import ApiError, bad_request
from netlab.model.meta import ObjectKey
from netlab.store import Entry, Expired, Store

TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list.")
PAGING = ("limit", "continue", "resourceVersion", "resourceVersionMatch")
NEWEST = -1  # the revision in the token of a list that goes on though its own revision is gone


@dataclass(frozen=True)
class Page:
    """Objects of a list at a revision. `rest` is the token for what follows, "" when this is the end."""

    entries: list[Entry]
    revision: int
    rest: str = ""
    remaining: int | None = None  # objects that follow; None when selectors leave it open, as upstream

    def metadata(self) -> dict[str, object]:
        """The list's metadata."""
        found: dict[str, object] = {"resourceVersion": str(self.revision)}
        if self.rest:
            found["continue"] = self.rest
            if self.remaining is not None:
                found["remainingItemCount"] = self.remaining
        return found


def page(request: Request, view: View, store: Store) -> Page:
    """What a list request asks for. ApiError 400 for what makes no sense, 410 and 504 for revisions out of reach."""
    limit, token, text = request.number("limit") or 0, request.text("continue"), request.text("resourceVersion")
    match = request.text("resourceVersionMatch")
    if not (limit or token or text or match):
        return Page(view.entries(store), store.revision)
    wanted = _revision(text)
    _check(match, text, token)
    if wanted > store.revision:
        raise ApiError(504, "Timeout", f"Timeout: Too large resource version: {wanted}, current: {store.revision}",
                       details={"causes": [{"reason": "ResourceVersionTooLarge",
                                            "message": "Too large resource version"}], "retryAfterSeconds": 1})
    if token:
        revision, start = _parsed(token)
        after = ObjectKey(view.kind.key, *start)
    else:
        after, exact = None, match == "Exact" or (limit and wanted and not match)
        revision = wanted if exact else NEWEST
        if text == "0" and not match:
            limit = 0  # any state will do: upstream answers from its cache, whole
    try:
        entries = _at(view, store, revision)
    except Expired as error:
        if after is None:
            raise ApiError(410, "Expired", str(error)) from error
        raise ApiError(410, "Expired", TOO_OLD, rest=_token(NEWEST, after)) from error
    if revision == NEWEST:
        revision = store.revision
    if after is not None:
        entries = entries[bisect_right(entries, after, key=lambda entry: entry.key):]
    if not limit or len(entries) <= limit:
        return Page(entries, revision)
    chosen = bool(view.name or view.labels.requirements or view.fields.terms)
    return Page(entries[:limit], revision, _token(revision, entries[limit - 1].key),
                None if chosen else len(entries) - limit)


def _at(view: View, store: Store, revision: int) -> list[Entry]:
    """The objects as they were at the revision, sorted by key."""
    resource = view.kind.key
    if revision == NEWEST or store.revision_of(resource) <= revision:
        return view.entries(store)
    then = {entry.key: entry for entry in store.entries(resource)}
    for change in reversed(store.changes(resource, revision)):
        if change.previous is None:
            then.pop(change.entry.key, None)
        else:
            then[change.entry.key] = change.previous
    return sorted((entry for entry in then.values() if view.sees(entry)), key=lambda entry: entry.key)


def _revision(text: str) -> int:
    if text and not (text.isascii() and text.isdigit() and len(text) < 19):
        raise bad_request(f'Invalid value: "{text[:100]}": invalid resource version')
    return int(text or 0)


def _check(match: str, text: str, token: str) -> None:
    def refused(detail: str) -> ApiError:
        return bad_request(f"resourceVersionMatch: Forbidden: {detail}")

    if match and token:
        raise refused("resourceVersionMatch is forbidden when continue is provided")
    if match and not text:
        raise refused("resourceVersionMatch is forbidden unless resourceVersion is provided")
    if match not in ("", "Exact", "NotOlderThan"):
        raise bad_request(f'resourceVersionMatch: Unsupported value: "{match}": supported values: "Exact", '
                          '"NotOlderThan", ""')
    if match == "Exact" and text == "0":
        raise refused('resourceVersionMatch "Exact" is forbidden for resourceVersion "0"')
    if token and text not in ("", "0"):
        raise bad_request("specifying resource version is not allowed when using continue")


def _token(revision: int, last: ObjectKey) -> str:
    # The key as upstream's storage spells it: the next page begins right after it.
    start = f"{last.namespace}/{last.name}\0" if last.namespace else f"{last.name}\0"
    text = json.dumps({"v": "meta.k8s.io/v1", "rv": revision, "start": start}, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _parsed(token: str) -> tuple[int, tuple[str, str]]:
    """(revision, (namespace, name) of the last object given)."""
    try:
        found = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        revision, start = found["rv"], found["start"]
        if found["v"] != "meta.k8s.io/v1" or type(revision) is not int or revision == 0 or type(start) is not str:
            raise ValueError("unknown form")
    except binascii.Error:
        raise bad_request("continue key is not valid: illegal base64 data") from None
    except ValueError as error:
        raise bad_request(f"continue key is not valid: {go_json.problem(error)}") from None
    except (KeyError, TypeError, RecursionError):
        raise bad_request("continue key is not valid: unknown form") from None
    space, _, name = start.rstrip("\0").rpartition("/")
    return revision, (space, name)
