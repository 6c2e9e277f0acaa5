"""`rewrite`: a question is answered as if it were another one; with `answer auto` nobody sees it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from netlab.dns.answer import Answer, Question
from netlab.dns.chain import Handler, Plugin, Request
from netlab.dns.corefile import CorefileError, Directive, Token
from netlab.dns.names import Name
from netlab.dns.plugins.setup import Scope
from netlab.dns.records import Record

KINDS = ("exact", "prefix", "suffix", "substring", "regex")
FIELDS = ("name",)
_REFERENCE = re.compile(r"\{(\d+)\}")

Change = Callable[[str], str | None]
"""Gives the other name of a name, both with the final dot and in lower case; None when the rule is not for it."""


@dataclass(frozen=True)
class Rule:
    """One `rewrite`. `back` is what `answer` and `value` make of the names in the records of the answer."""

    kind: str
    source: str
    target: str
    proceed: bool = False
    auto: bool = False
    names: tuple[tuple[str, str], ...] = ()
    values: tuple[tuple[str, str], ...] = ()
    pattern: re.Pattern[str] | None = field(default=None, compare=False)

    def apply(self, name: str) -> str | None:
        """The name that is asked for instead, None when the rule is not for it."""
        source, target = self.source, self.target
        if self.kind == "exact":
            return target if name == source else None
        if self.kind == "prefix":
            return target + name[len(source):] if name.startswith(source) else None
        if self.kind == "suffix":
            return name[:-len(source)] + target if name.endswith(source) else None
        if self.kind == "substring":
            return name.replace(source, target) if source in name else None
        match = self.pattern.search(name) if self.pattern else None
        return expand(target, match) if match else None


def expand(template: str, match: re.Match[str]) -> str:
    """The template with `{1}` and so on replaced by the groups of the match."""
    return _REFERENCE.sub(lambda m: (match[int(m[1])] or "") if int(m[1]) <= len(match.groups()) else m[0], template)


@dataclass(frozen=True)
class Rewrite(Plugin):
    """The rules in their order; the first that applies is the last, unless it says `continue`."""

    name = "rewrite"
    rules: tuple[Rule, ...]

    async def serve(self, request: Request, next: Handler) -> Answer:
        """The next plugin's answer to the other question; its question section stays that of the client."""
        asked = request.question.name
        text, used = str(asked).lower(), []
        for rule in self.rules:
            other = rule.apply(text)
            if other is not None:
                used.append((rule, text, other))
                text = other
                if not rule.proceed:
                    break
        if not used:
            return await next(request)
        answer = await next(request._replace(question=Question(Name.of(text), request.question.type)))
        for rule, before, after in reversed(used):
            shown = str(asked) if before == str(asked).lower() else before
            answer = _back(answer, rule, shown, after)
        return answer


def _back(answer: Answer, rule: Rule, before: str, after: str) -> Answer:
    def renamed(name: Name, pairs: tuple[tuple[str, str], ...], *, auto: bool) -> Name:
        text = str(name)
        if auto:
            if text.lower() == after:
                return Name.of(before)
            if rule.kind == "suffix" and text.lower().endswith(rule.target):
                return Name.of(text[:-len(rule.target)] + rule.source)
        for pattern, replacement in pairs:
            if match := re.search(pattern, text):
                return Name.of(expand(replacement, match))
        return name

    def record(one: Record) -> Record:
        data = tuple(renamed(each, rule.values, auto=rule.auto) if isinstance(each, Name) else each
                     for each in one.data)
        # Without any rule for the answer, the owner of the question's own records is the question's name again.
        return one._replace(name=renamed(one.name, rule.names, auto=rule.auto or rule.kind == "exact"), data=data)

    return answer._replace(answer=tuple(map(record, answer.answer)), authority=tuple(map(record, answer.authority)),
                   additional=tuple(map(record, answer.additional)))


def setup(directives: tuple[Directive, ...], scope: Scope) -> tuple[Plugin, ...]:
    """From the Corefile; `rewrite` may stand several times."""
    return (Rewrite(tuple(_rule(directive) for directive in directives)),)


def _rule(directive: Directive) -> Rule:
    words, first = list(directive.arguments), directive.name
    if directive.lines:
        words += [token for line in directive.lines for token in (line.name, *line.arguments)]
    texts = [token.text for token in words]
    proceed = bool(texts) and texts[0] == "continue"
    if texts and texts[0] in ("continue", "stop"):
        texts.pop(0)
    if not texts:
        raise directive.wrong_count()
    what = texts.pop(0)
    if what not in FIELDS:
        known = what in ("class", "type", "ttl", "edns0", "cname", "rcode")
        raise CorefileError(f'{first.file}:{first.line} - Error during parsing: ' + (
            f"'rewrite {what}' is not available in a lab" if known else f'invalid rule type "{what}"'))
    kind = texts.pop(0) if texts and texts[0] in KINDS else "exact"
    if len(texts) < 2:
        raise CorefileError(f"too few arguments for a {kind} name rule")
    source, target, rest = texts[0], texts[1], texts[2:]
    rule = _tail(Rule(kind, _normal(kind, source), _normal(kind, target), proceed), rest, first)
    if kind != "regex":
        return rule
    return replace(rule, source=source, target=target if target.endswith(".") else target + ".",
                   pattern=_compiled(source))


def _normal(kind: str, text: str) -> str:
    text = text.lower()
    return text.rstrip(".") + "." if kind in ("exact", "suffix") else text


def _tail(rule: Rule, words: list[str], place: Token) -> Rule:
    """The rest: `answer auto`, `answer name REGEX TO` and `answer value REGEX TO`, any number of them."""
    while words:
        if words[0] != "answer":
            raise place.error(f"unexpected word '{words[0]}' in a rewrite rule")
        if words[1:2] == ["auto"]:
            rule, words = replace(rule, auto=True), words[2:]
            if rule.kind not in ("exact", "suffix"):
                raise CorefileError(f"'answer auto' needs a rule of kind exact or suffix, this is {rule.kind}")
        elif len(words) >= 4 and words[1] in ("name", "value"):
            pair = (_compiled(words[2]).pattern, words[3])
            rule = replace(rule, names=(*rule.names, pair)) if words[1] == "name" else \
                replace(rule, values=(*rule.values, pair))
            words = words[4:]
        elif len(words) == 3:
            rule, words = replace(rule, names=(*rule.names, (_compiled(words[1]).pattern, words[2]))), []
        else:
            raise place.error("invalid syntax for the answer of a rewrite rule")
    return rule


def _compiled(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise CorefileError(f"invalid regex pattern in a name rule: {text}: {error}") from None
