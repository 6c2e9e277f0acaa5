"""What a step can expect, by its name below `expect`; each check says what is wrong, or nothing.

To add one: a function from (what the file expects, Observation) to the difference as text ("" when it holds), an
entry in CHECKS, and its name in the `checks` of the actions that it suits.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from netlab.scenario.actions import HttpAnswer, Observation
from netlab.scenario.http_step import ERRORS, backend
from netlab.scenario.lookup import MISSING, look, parts
from netlab.scenario.schema import (
    Many,
    Notes,
    OneOrMany,
    Record,
    Regex,
    Shape,
    Short,
    Table,
    Text,
    Whole,
    describe,
)
from netlab.scenario.source import Field


@dataclass(frozen=True)
class Check:
    """One kind of expectation."""

    shape: Shape
    test: Callable[[Any, Observation], str]


# Texts: `stdout: word` means that it contains the word.
MATCH = Short("contains", Record({
    "contains": OneOrMany(Text()), "not": OneOrMany(Text()), "equals": Text(), "matches": Regex(),
}))


def text(expected: Mapping[str, Any], got: str, called: str) -> str:
    """Compares a text with contains, not, equals and matches; all that are given must hold."""
    for part in expected.get("contains", ()):
        if part not in got:
            return f'{called} should contain "{part}", and is: {_short(got)}'
    for part in expected.get("not", ()):
        if part in got:
            return f'{called} should not contain "{part}", and is: {_short(got)}'
    if "equals" in expected and got.strip() != expected["equals"].strip():
        return f'{called} should be "{expected["equals"].strip()}", and is: {_short(got)}'
    if "matches" in expected and not re.search(expected["matches"], got, re.MULTILINE):
        return f"{called} should match /{expected['matches']}/, and is: {_short(got)}"
    return ""


def _wanted(expected: Mapping[str, Any]) -> str:
    """What a text is to be, in a few words."""
    words = [f'"{part}"' for part in expected.get("contains", ())]
    words += [f'not "{part}"' for part in expected.get("not", ())]
    words += [f'just "{expected["equals"].strip()}"'] if "equals" in expected else []
    words += [f"/{expected['matches']}/"] if "matches" in expected else []
    return " and ".join(words)


def _short(got: str) -> str:
    got = got.strip()
    if not got:
        return "empty"
    return f'"{got}"' if "\n" not in got and len(got) < 100 else "\n" + got[:2000]


def _exit_code(expected: int, seen: Observation) -> str:
    if seen.exit_code == expected:
        return ""
    words = (seen.stderr or seen.stdout).strip()
    return f"exit code should be {expected}, and is {seen.exit_code}" + (f": {_short(words)}" if words else "")


def _rejected(expected: Mapping[str, Any] | None, seen: Observation) -> str:
    if expected is None:
        return f"the API server refused it: {seen.rejected}" if seen.rejected else ""
    return text(expected, seen.rejected, "the API server's refusal") if seen.rejected else \
        f"the API server should refuse it, and did: {', '.join(seen.lines)}"


@dataclass(frozen=True)
class Paths:
    """Expected values by path (`.spec.type`)."""

    called: str = "a mapping of paths such as .spec.type to values"

    def read(self, value: Any, where: Field, notes: Notes) -> dict[str, Any]:
        """The mapping, with paths that can be followed."""
        if not isinstance(value, dict) or not value:
            notes.wrong(where, f"must be {self.called}, not {describe(value)}")
            return {}
        for path in value:
            if not path.startswith((".", "[", "{")) or parts(path) is None:
                notes.wrong((*where, path), f'"{path}" is not a path such as .spec.ports[0].port')
        return value


def _json(expected: Mapping[str, Any], seen: Observation) -> str:
    for path, wanted in expected.items():
        got = look(seen.value, path)
        if isinstance(wanted, Mapping) and wanted and set(wanted) <= {"contains", "not", "matches"}:
            wrong = text({key: (item,) if isinstance(item, str) and key != "matches" else item
                          for key, item in wanted.items()}, "" if got is MISSING else _shown(got), path)
            if wrong:
                return wrong
        elif wanted is None and got is MISSING:
            continue
        elif got is MISSING:
            return f"{path} should be {_shown(wanted)}, and is not there"
        elif got != wanted and not (isinstance(wanted, str) and not isinstance(got, str) and _shown(got) == wanted):
            return f"{path} should be {_shown(wanted)}, and is {_shown(got)}"
    return ""


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _count(expected: int, seen: Observation) -> str:
    got = len(seen.value.get("items") or ()) if isinstance(seen.value, Mapping) else 0
    return "" if got == expected else f"there should be {expected}, and there are {got}"


def _rcode(expected: str, seen: Observation) -> str:
    if seen.rcode == expected:
        return ""
    return f"the DNS answer should be {expected}, and is {seen.rcode}: {', '.join(seen.answers) or 'no records'}"


ANSWERS = Short("exactly", Record({
    "exactly": OneOrMany(Text()), "contains": OneOrMany(Text()), "count": Whole(),
}))


def _answers(expected: Mapping[str, Any], seen: Observation) -> str:
    got = ", ".join(seen.answers) or "none"
    if "exactly" in expected and sorted(expected["exactly"]) != sorted(seen.answers):
        return f"the answers should be {', '.join(sorted(expected['exactly']))}, and are {got}"
    for part in expected.get("contains", ()):
        if not any(part in answer for answer in seen.answers):
            return f'an answer should contain "{part}", and they are {got}'
    if "count" in expected and len(seen.answers) != expected["count"]:
        return f"there should be {expected['count']} answers, and they are {got}"
    return ""


def _each(seen: Observation, wrong: Callable[[HttpAnswer], str]) -> str:
    if not seen.http:
        return "there was no answer"
    found = [problem for answer in seen.http if (problem := wrong(answer))]
    if not found:
        return ""
    return (f"{len(found)} of {len(seen.http)} requests: " if len(seen.http) > 1 else "") + found[0]


def _failed(answer: HttpAnswer, expected: str) -> str:
    return f"{expected}, and there was no answer: {answer.error}" + (f" ({answer.words})" if answer.words else "")


def _status(expected: tuple[int, ...], seen: Observation) -> str:
    wanted = " or ".join(map(str, expected))
    return _each(seen, lambda answer: _failed(answer, f"the status should be {wanted}") if answer.error
                 else "" if answer.status in expected
                 else f"the status should be {wanted}, and is {answer.status}: {_short(answer.body)}")


def _body(expected: Mapping[str, Any], seen: Observation) -> str:
    return _each(seen, lambda answer: _failed(answer, f"the body should have {_wanted(expected)}") if answer.error
                 else text(expected, answer.body, "the body"))


def _headers(expected: Mapping[str, Any], seen: Observation) -> str:
    def wrong(answer: HttpAnswer) -> str:
        found = (text(match, answer.headers.get(name.lower(), ""), f"the header {name}")
                 for name, match in expected.items())
        return next(filter(None, found), "")

    return _each(seen, wrong)


def _error(expected: str, seen: Observation) -> str:
    return _each(seen, lambda answer: "" if answer.error == expected else
                 f"should fail with \"{expected}\", and " +
                 (f"failed with \"{answer.error}\"" if answer.error else f"was answered with status {answer.status}: "
                                                                         f"{_short(answer.body)}"))


BACKENDS = Record({"count": Whole(), "min": Whole(), "names": Many(Text()), "not": Many(Text())})


def _backends(expected: Mapping[str, Any], seen: Observation) -> str:
    found = Counter(backend(answer) or "(no name)" for answer in seen.http if not answer.error)
    got = ", ".join(f"{name} {number}x" for name, number in sorted(found.items())) or "nobody"
    if "count" in expected and len(found) != expected["count"]:
        return f"{expected['count']} pods should answer, and these did: {got}"
    if "names" in expected and set(expected["names"]) != set(found):
        return f"{', '.join(sorted(expected['names']))} should answer, and these did: {got}"
    for name in expected.get("not", ()):
        if name in found:
            return f"{name} should not answer, and these did: {got}"
    if "min" in expected and min(found.values(), default=0) < expected["min"]:
        return f"each pod should answer at least {expected['min']} of {len(seen.http)} requests, and these did: {got}"
    return ""


CHECKS: dict[str, Check] = {
    "exitCode": Check(Whole(), _exit_code),
    "stdout": Check(MATCH, lambda expected, seen: text(expected, seen.stdout, "stdout")),
    "stderr": Check(MATCH, lambda expected, seen: text(expected, seen.stderr, "stderr")),
    "rules": Check(MATCH, lambda expected, seen: text(expected, seen.stdout, "the rules")),
    "rejected": Check(MATCH, _rejected),
    "json": Check(Paths(), _json),
    "count": Check(Whole(), _count),
    "rcode": Check(Text(choices=("NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED", "FORMERR", "NOTIMP")), _rcode),
    "answers": Check(ANSWERS, _answers),
    "status": Check(OneOrMany(Whole(100, 599)), _status),
    "body": Check(MATCH, _body),
    "headers": Check(Table(MATCH), _headers),
    "error": Check(Text(choices=(*ERRORS.values(), "no route")), _error),
    "backends": Check(BACKENDS, _backends),
}
