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
        sys.stderr.write(api_text(error) + "\n")
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


def _invalid_text(error: ApiError) -> str:
    head, separator, rest = error.message.partition(" is invalid: ")
    if not separator:
        return f"Error from server (Invalid): {error.message}"
    causes = [f"{cause.get('field', '')}: {cause.get('message', '')}" for cause in error.details.get("causes") or ()]
    if len(causes) < 2:
        return f"The {head} is invalid: {causes[0] if causes else rest}"
    return "\n".join([f"The {head} is invalid: ", *(f"* {cause}" for cause in causes)])


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
        sys.stderr.write(f"error: {error}\ntry: sudo netlab ...\n")
        return 3
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        sys.stderr.write(f"error: {error.filename or 'the output'} cannot be written: {error.strerror}\n")
        return INTERNAL
    sys.stderr.write("".join(traceback.format_exception(error)))
    sys.stderr.write(f"error: internal: {type(error).__name__}: {error}\n")
    return INTERNAL
