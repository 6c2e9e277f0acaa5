"""`header`: flags of responses and of questions to other servers, set and cleared."""

from __future__ import annotations

from dataclasses import dataclass

from netlab.dns.answer import Answer
from netlab.dns.chain import Handler, Plugin, Request
from netlab.dns.corefile import CorefileError, Directive
from netlab.dns.plugins.setup import Scope, only

_RESPONSE = {"aa": "authoritative", "ra": "recursion_available"}
_QUERY = {"rd": "recursion_desired"}


@dataclass(frozen=True)
class Header(Plugin):
    """Fields of answers and requests with the value that they get."""

    name = "header"
    response: tuple[tuple[str, bool], ...] = ()
    query: tuple[tuple[str, bool], ...] = ()

    async def serve(self, request: Request, next: Handler) -> Answer:
        """The next plugin's answer with other flags."""
        asked = request._replace(**dict(self.query)) if self.query else request  # type: ignore[arg-type]
        return (await next(asked))._replace(**dict(self.response))  # type: ignore[arg-type]


def setup(directives: tuple[Directive, ...], scope: Scope) -> tuple[Plugin, ...]:
    """From the Corefile: lines `[query|response] set|clear FLAG...`; upstream takes those without the word as
    responses.
    """
    directive = only("header", directives)
    if directive.arguments:
        raise directive.wrong_count()
    found: dict[str, list[tuple[str, bool]]] = {"response": [], "query": []}
    for line in directive.lines:
        words = [line.name.text, *(token.text for token in line.arguments)]
        side = words.pop(0) if words[0] in found else "response"
        if not words or words[0] not in ("set", "clear"):
            raise CorefileError("invalid action: " + (words[0] if words else ""))
        action, *flags = words
        if not flags:
            raise CorefileError(f"invalid length for flags, at least one should be provided in {action}")
        known = _RESPONSE if side == "response" else _QUERY
        for flag in flags:
            if flag.lower() not in known:
                raise line.name.error(f"the flag '{flag}' of a {side} is not available in a lab's header: there "
                                      f"{'are' if len(known) > 1 else 'is'} {', '.join(known)}")
            found[side].append((known[flag.lower()], action == "set"))
    if not any(found.values()):
        raise directive.wrong_count()
    return (Header(tuple(found["response"]), tuple(found["query"])),)
