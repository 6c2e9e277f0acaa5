"""`loop`: a server that hears its own question again is part of a forwarding loop, and gives up."""

from __future__ import annotations

from dataclasses import dataclass, field

from netlab.dns.answer import Answer
from netlab.dns.chain import Handler, Plugin, Request, failure
from netlab.dns.corefile import Directive
from netlab.dns.names import Name
from netlab.dns.plugins.setup import Scope, only

HINFO = 13
LIMIT = 2  # the first is the server's own; a second may be its retry


@dataclass(frozen=True)
class Loop(Plugin):
    """The question that only this server asks, and how often it came."""

    name = "loop"
    zone: Name
    port: int
    question: Name
    seen: list[int] = field(default_factory=lambda: [0], compare=False)

    @property
    def looping(self) -> bool:
        """Whether the question came too often."""
        return self.seen[0] > LIMIT

    def disable(self) -> None:
        """The question was asked; whoever asks it from now on is somebody else."""
        self.seen[0] = -1 << 62

    async def serve(self, request: Request, next: Handler) -> Answer:
        """The next plugin's answer; its own questions are counted."""
        if request.type == HINFO and request.question.name.lower() == self.question:
            self.seen[0] += 1
            if self.looping:
                return failure("a forwarding loop")
        return await next(request)


def setup(directives: tuple[Directive, ...], scope: Scope) -> tuple[Plugin, ...]:
    """From the Corefile."""
    if only("loop", directives).arguments:
        raise directives[0].wrong_count()
    zone = scope.zones[0]
    return (Loop(zone, scope.port, Name.of(scope.around.nonce) + zone),)
