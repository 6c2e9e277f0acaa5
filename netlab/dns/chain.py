"""A question's way through the plugins of a server.

A plugin answers or asks the next one. What needs the world outside, such as another DNS server, is awaited as an
effect: a value that says what is to be done. Whoever runs the chain does it and sends back the result, so that
plugins neither know sockets nor wait.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, NamedTuple

from netlab.dns.answer import Answer, Question
from netlab.dns.view import DnsView

MAX_DEPTH = 8  # questions that a question may lead to

Handler = Callable[["Request"], Coroutine["Effect", Answer, Answer]]


class Effect:
    """Something to be done outside; awaiting it gives the answer that comes of it."""

    __slots__ = ()

    def __await__(self) -> Generator[Effect, Answer, Answer]:
        answer = yield self
        return answer


class Request(NamedTuple):
    """A question and what it is answered with. `now` is in seconds; `size` the client's EDNS size, 0 without."""

    question: Question
    view: DnsView
    resolve: Handler
    now: float = 0.0
    type: int = 1  # the type as a number, also of those without a name
    recursion_desired: bool = True
    checking_disabled: bool = False
    dnssec_ok: bool = False
    size: int = 0
    tcp: bool = False
    depth: int = 0

    async def lookup(self, question: Question, type: int) -> Answer:
        """The whole server's answer to another question."""
        if self.depth >= MAX_DEPTH:
            return Answer("SERVFAIL", authoritative=False, error="too many names lead to another")
        return await self.resolve(self._replace(question=question, type=type, depth=self.depth + 1))


class Plugin:
    """A directive's settings. What answers questions overrides `serve`; the others are looked up by their class."""

    name = ""

    async def serve(self, request: Request, next: Handler) -> Answer:
        """The answer to the request, perhaps the next plugin's."""
        return await next(request)


def failure(text: str, rcode: str = "SERVFAIL") -> Answer:
    """An answer that only says that there is none; `text` is for the log."""
    return Answer(rcode, authoritative=False, error=text, keep=False)


def link(plugins: tuple[Plugin, ...]) -> Handler:
    """The plugins as one handler, in their order; those that do not answer take no time."""
    serving = [plugin for plugin in plugins if type(plugin).serve is not Plugin.serve]
    last = serving[-1].name if serving else ""

    async def end(request: Request) -> Answer:
        return failure(f"plugin/{last}: no next plugin found") if last else failure("", "REFUSED")

    handler: Handler = end
    for plugin in reversed(serving):
        handler = _Step(plugin, handler)
    return handler


class _Step:
    """A plugin that knows the next one."""

    __slots__ = ("_next", "_serve")

    def __init__(self, plugin: Plugin, next: Handler) -> None:
        self._serve, self._next = plugin.serve, next

    def __call__(self, request: Request) -> Coroutine[Any, Answer, Answer]:
        return self._serve(request, self._next)


def run(coroutine: Awaitable[Answer], do: Callable[[Effect], Answer]) -> Answer:
    """The answer of a chain whose effects `do` can do at once."""
    steps = coroutine.__await__()
    try:
        effect = next(steps)
        while True:
            effect = steps.send(do(effect))
    except StopIteration as end:
        result: Answer = end.value
        return result
