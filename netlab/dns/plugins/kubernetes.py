"""`kubernetes`: Services, endpoints and pods of the cluster."""

from __future__ import annotations

from dataclasses import dataclass, replace

from netlab.dns.answer import Answer, Question, answer
from netlab.dns.chain import Handler, Plugin, Request
from netlab.dns.corefile import CorefileError, Directive, Line
from netlab.dns.names import Name, Zones, is_reverse
from netlab.dns.plugins.setup import Fall, Scope, integer, only, zones
from netlab.model.errors import ApiError
from netlab.model.selector_syntax import parse

MODES = ("disabled", "verified", "insecure")
IGNORED = ("endpoint", "tls", "kubeconfig")  # how the API is reached: in a lab there is one way


@dataclass(frozen=True)
class Kubernetes(Plugin):
    """The zones, the first cluster domain's with the reverse ones. `labels` selects Services and slices in the API."""

    name = "kubernetes"
    zones: tuple[Zones, ...]
    fall: Fall = Fall()
    labels: str = ""

    async def serve(self, request: Request, next: Handler) -> Answer:
        """The cluster's answer, with what is behind an alias to a name elsewhere."""
        question = request.question
        for one in self.zones:
            found = answer(question, request.view, one)
            if found is None:
                continue
            if found.rcode in ("NXDOMAIN", "SERVFAIL") and self.fall.through(question.name):
                break
            if question.type in ("A", "AAAA") and found.answer and found.answer[-1].type == "CNAME":
                found = await _followed(found, request)
            return found
        return await next(request)


async def _followed(found: Answer, request: Request) -> Answer:
    target = found.answer[-1].data[0]
    if not isinstance(target, Name):
        return found
    behind = await request.lookup(Question(target, request.question.type), request.type)
    return found._replace(answer=found.answer + behind.answer, keep=False, truncated=behind.truncated)


def setup(directives: tuple[Directive, ...], scope: Scope) -> tuple[Plugin, ...]:
    """From the Corefile."""
    directive = only("kubernetes", directives)
    named = zones(directive.texts()) or scope.zones
    domains = [zone for zone in named if not is_reverse(zone)]
    if not domains:
        raise CorefileError("non-reverse zone name must be used")
    first = Zones(domain=domains[0], reverse=tuple(zone for zone in named if is_reverse(zone)),
                  local=scope.around.addresses, ttl=5, pods="disabled")
    fall, labels = Fall(), ""
    for line in directive.lines:
        match line.name.text:
            case "fallthrough":
                fall = Fall.of(token.text for token in line.arguments)
            case "labels":
                labels = _selector(" ".join(line.some()))
            case "namespace_labels":
                raise line.name.error("namespace_labels is not available in a lab; use namespaces")
            case name if name in IGNORED:
                line.some()
            case _:
                first = _option(line, first)
    return (Kubernetes((first, *(replace(first, domain=domain, reverse=()) for domain in domains[1:])), fall, labels),)


def _selector(text: str) -> str:
    try:
        parse(text)
    except ApiError as error:
        raise CorefileError(f"unable to parse label selector value: '{text}': {error}") from None
    return text


def _option(line: Line, made: Zones) -> Zones:
    match line.name.text:
        case "pods":
            mode = line.one()
            if mode not in MODES:
                raise CorefileError(f"wrong value for pods: {mode},  must be one of: disabled, verified, insecure")
            return replace(made, pods=mode)
        case "namespaces":
            return replace(made, namespaces=made.namespaces | frozenset(line.some()))
        case "ttl":
            ttl = integer(line.some()[0])
            if not 0 <= ttl <= 3600:
                raise line.arguments[0].error(f"ttl must be in range [0, 3600]: {ttl}")
            return replace(made, ttl=ttl)
        case "endpoint_pod_names":
            line.none()
            return replace(made, endpoint_pod_names=True)
        case "noendpoints":
            line.none()
            return replace(made, endpoints=False)
        case "ignore":
            if line.some()[0] != "empty_service":
                raise CorefileError(f"unable to parse ignore value: '{line.arguments[0].text}'")
            return replace(made, empty_services=False)
    raise line.unknown()
