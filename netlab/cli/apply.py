"""apply: all documents are looked at before any is written; what is wrong is told with its place in the file."""

from __future__ import annotations

import re
import sys

from netlab.cli import targets
from netlab.cli.arguments import Arguments
from netlab.cli.failures import api_code, api_text, causes
from netlab.cli.targets import Target
from netlab.model.errors import ApiError, LabError
from netlab.server import verbs
from netlab.server.client import ApiClient

_UNKNOWN = re.compile(r'unknown field "([^"]+)"')
_WRONG_TYPE = re.compile(r"Go struct field [^.\s]+\.(\S+) of type")


def apply(arguments: Arguments) -> int:
    """Creates or changes what the files say; nothing is written when a document is found wrong beforehand."""
    client, found = targets.load(arguments)
    if len(found) > 1:
        _rehearse(client, found)
    code = 0
    for target in found:
        try:
            done = verbs.apply(client, target.kind, target.manifest, namespace=target.namespace)
        except ApiError as error:
            code = code or api_code(error)
            sys.stderr.write("\n".join(_told(target, error)) + "\n")
            continue
        print(f"{target.kind.shown}/{target.name} {done}", flush=True)
    return code


def _rehearse(client: ApiClient, found: list[Target]) -> None:
    """Asks the server what it thinks of each document. What may depend on an earlier one (404, 409) waits."""
    wrong: list[str] = []
    for target in found:
        try:
            verbs.apply(client, target.kind, target.manifest, namespace=target.namespace, dry_run=True)
        except ApiError as error:
            if error.code in (400, 422):
                wrong += _told(target, error)
    if wrong:
        raise LabError("nothing was applied:\n" + "\n".join(wrong))


def _told(target: Target, error: ApiError) -> list[str]:
    """A line for each cause, with its place in the file."""
    located, shown = target.located, f'The {target.kind.kind} "{target.name}" is invalid'
    if [field for field, _ in causes(error)] == ["patch"]:
        error = _in_manifest(target) or error
    if error.reason == "Invalid":
        return [f"{located.at(field)}: {shown}: {field}: {text}" if field else f"{located.place}: {shown}: {text}"
                for field, text in causes(error)]
    if error.code == 400 and (unknown := _UNKNOWN.findall(error.message)):
        return [f'{located.at(field)}: {shown}: unknown field "{field}"{_near(target.kind.kind, field)}'
                for field in unknown]
    wrong_type = _WRONG_TYPE.search(error.message) if error.code == 400 else None
    place = located.at(wrong_type[1]) if wrong_type else located.place
    return [f"{place}: " + api_text(error, "when applying").removeprefix("error: ")]


def _in_manifest(target: Target) -> ApiError | None:
    """What is wrong with the manifest, of whose patch the server speaks."""
    from netlab.api.decode import decode

    try:
        decode(target.manifest, target.kind.kind, str(target.manifest.get("apiVersion")), strict=True)
    except ApiError as error:
        return error
    return None


def _near(kind: str, path: str) -> str:
    """` (did you mean "selector"?)`, from the fields that the field's owner has."""
    from netlab.api.shapes import child, of_kind
    from netlab.api.shapes import fields as fields_of
    from netlab.cli.arguments import did_you_mean
    from netlab.scenario.source import field_of

    *owners, last = field_of(path)
    shape = of_kind(kind)
    for owner in owners:
        shape = shape.element if isinstance(owner, int) and shape.element else child(shape, str(owner)) or shape
    return did_you_mean(str(last), list(fields_of(shape.name)))
