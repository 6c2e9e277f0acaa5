"""`loadbalance`: the addresses of an answer come in another order each time."""

from __future__ import annotations

from dataclasses import dataclass

from netlab.dns.answer import Answer
from netlab.dns.chain import Handler, Plugin, Request
from netlab.dns.corefile import CorefileError, Directive
from netlab.dns.plugins.setup import Scope, only


@dataclass(frozen=True)
class LoadBalance(Plugin):
    """Whoever sends the answer turns its addresses."""

    name = "loadbalance"

    async def serve(self, request: Request, next: Handler) -> Answer:
        """The next plugin's answer, marked."""
        answer = await next(request)
        return answer._replace(shuffled=True) if len(answer.answer) > 1 else answer


def setup(directives: tuple[Directive, ...], scope: Scope) -> tuple[Plugin, ...]:
    """From the Corefile."""
    directive = only("loadbalance", directives)
    policy = directive.texts()[0] if directive.arguments else "round_robin"
    if policy == "weighted":
        raise directive.arguments[0].error("the policy 'weighted' is not available in a lab's loadbalance")
    if policy != "round_robin" or len(directive.arguments) > 1 or directive.lines:
        raise CorefileError(f"unknown policy: {policy}") if policy != "round_robin" else directive.wrong_count()
    return (LoadBalance(),)
