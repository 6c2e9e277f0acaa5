"""Errors as the user reads them, and the exit codes that they give."""

from __future__ import annotations

import errno
import sys

from netlab.model.errors import ApiError, LabError

BAD_INPUT, NOT_FOUND, INTERNAL, TIME_LIMIT = 2, 4, 5, 124


def explain(error: ApiError | LabError) -> int:
    """Writes the error to stderr; gives the exit code."""
    sys.stdout.flush()
    if isinstance(error, ApiError):
        sys.stderr.write(api_text(error) + "\n" + api_hint(error))
        return api_code(error)
    sys.stderr.write(f"error: {error.message}\n" + (f"try: {error.hint}\n" if error.hint else ""))
    return error.exit_code


def api_text(error: ApiError, doing: str = "") -> str:
    """The lines that kubectl prints for a Status; `doing` is such as `when creating "web.yaml"`."""
    if error.reason == "Invalid":
        return _invalid_text(error)
    what = f"error {doing}: " if doing else ""
    reason = f" ({error.reason})" if error.reason else ""
    return f"Error from server{reason}: {what}{error.message}"


def api_hint(error: ApiError) -> str:
    """The line that says where to look for an object that there is not; else ""."""
    kind = error.details.get("kind")
    if error.reason != "NotFound" or not kind:
        return ""
    return f"try: netlab get {kind}{'' if kind in ('namespaces', 'nodes') else ' -A'}\n"


def _invalid_text(error: ApiError) -> str:
    head, separator, rest = error.message.partition(" is invalid: ")
    if not separator:
        return f"Error from server (Invalid): {error.message}"
    if error.details.get("kind"):
        head = f'{error.details["kind"]} "{error.details.get("name", "")}"'
    found = [f"{field}: {text}" for field, text in causes(error)]
    if len(found) < 2:
        return f"The {head} is invalid: {found[0] if found else rest}"
    return "\n".join([f"The {head} is invalid: ", *(f"* {cause}" for cause in found)])


def causes(error: ApiError) -> list[tuple[str, str]]:
    """The (field, text) of a refused object; one without a field when the server gives no causes."""
    given = error.details.get("causes") or ()
    return [(cause.get("field", ""), cause.get("message", "")) for cause in given] or \
        [("", error.message.partition(" is invalid: ")[2] or error.message)]


def api_code(error: ApiError) -> int:
    """The program's exit code for a failed request."""
    if error.code == 404:
        return NOT_FOUND
    if error.code == 504 or error.reason == "Timeout":
        return TIME_LIMIT
    return INTERNAL if error.code >= 500 else BAD_INPUT


def interrupted(error: Exception) -> int:
    """Says what went wrong inside: a fault of netlab's, or of the machine (then with the kernel's words)."""
    import traceback

    if isinstance(error, TimeoutError):
        sys.stderr.write("error: the lab's API did not answer in time\ntry: netlab status\n")
        return TIME_LIMIT
    if isinstance(error, PermissionError):
        what = f"no access to {error.filename}" if error.filename else str(error)
        sys.stderr.write(f"error: {what}\ntry: sudo netlab ...\n")
        return 3
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        sys.stderr.write(f"error: {error.filename or 'the output'} cannot be written: {error.strerror}\n")
        return INTERNAL
    sys.stderr.write("".join(traceback.format_exception(error)))
    sys.stderr.write(f"error: internal: {type(error).__name__}: {error}\n")
    return INTERNAL
