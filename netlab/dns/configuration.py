"""A Corefile's meaning: servers, their zones, and the plugins that answer in each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from netlab.dns.chain import Handler, Plugin, link
from netlab.dns.corefile import Block, CorefileError, Token, parse
from netlab.dns.names import Name, longest, zones_of
from netlab.dns.plugins import ELSEWHERE, SETUPS
from netlab.dns.plugins.setup import Scope, Surroundings

FILE = "/etc/coredns/Corefile"
PORT = 53

P = TypeVar("P", bound=Plugin)


@dataclass(frozen=True)
class Server:
    """A zone on a port, and its plugins in the order that questions go through them."""

    zone: Name
    port: int
    plugins: tuple[Plugin, ...] = ()
    handler: Handler = field(default_factory=lambda: link(()), compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.zone}:{self.port}"

    @cached_property
    def labels(self) -> tuple[str, str]:
        """Its address and zone, as metrics name them."""
        return f"dns://:{self.port}", str(self.zone)

    def get(self, kind: type[P]) -> P | None:
        """Its plugin of this kind."""
        return self._kinds.get(kind)  # type: ignore[return-value]

    @cached_property
    def _kinds(self) -> dict[type[Plugin], Plugin]:
        return {type(plugin): plugin for plugin in reversed(self.plugins)}


@dataclass(frozen=True)
class Configuration:
    """All servers."""

    servers: tuple[Server, ...] = ()

    @cached_property
    def ports(self) -> dict[int, dict[Name, Server]]:
        """The servers by port and zone."""
        ports: dict[int, dict[Name, Server]] = {}
        for server in self.servers:
            ports.setdefault(server.port, {})[server.zone] = server
        return ports

    def server(self, port: int, name: Name) -> Server | None:
        """The server whose zone the name is most closely in; None when there is none."""
        servers = self.ports.get(port, {})
        zone = longest(name, servers)
        return None if zone is None else servers[zone]

    def all(self, kind: type[P]) -> tuple[P, ...]:
        """All plugins of this kind, each once."""
        return tuple({id(p): p for server in self.servers for p in server.plugins if isinstance(p, kind)}.values())


def configure(text: str, around: Surroundings, *, file: str = FILE, port: int = PORT) -> Configuration:
    """The configuration that a Corefile describes; CorefileError with what CoreDNS says.

    `port` is that of server blocks that name none.
    """
    blocks = parse(text, file, known={*SETUPS, *ELSEWHERE}, environment=around.environment, files=around.files)
    servers: dict[tuple[Name, int], Server] = {}
    for block in blocks:
        for server in _servers(block, around, port):
            if (server.zone, server.port) in servers:
                raise CorefileError(f"cannot serve dns://{server} - it is already defined")
            servers[server.zone, server.port] = server
    return Configuration(tuple(servers.values()))


def _servers(block: Block, around: Surroundings, port: int) -> Iterable[Server]:
    keys = [_key(token, port) for token in block.keys]
    for number in dict.fromkeys(number for _, number in keys):
        zones = tuple(zone for found, number_ in keys if number_ == number for zone in found)
        plugins = _plugins(block, Scope(zones, number, around))
        handler = link(plugins)
        for zone in zones:
            yield Server(zone, number, plugins, handler)


def _key(token: Token, usual: int) -> tuple[tuple[Name, ...], int]:
    text = token.text
    if "://" in text:
        transport, _, text = text.partition("://")
        if transport != "dns":
            raise token.error(f"servers of type '{transport}://' are not available in a lab")
    zone, colon, port = text.rpartition(":")
    if not colon or not port.isdigit():
        return zones_of(text), usual
    return zones_of(zone), int(port)


def _plugins(block: Block, scope: Scope) -> tuple[Plugin, ...]:
    for directive in block.directives:
        if directive.name.text in ELSEWHERE:
            raise directive.name.error(f"the plugin '{directive.name.text}' is not available in a lab; "
                                       f"available are {', '.join(sorted(SETUPS))}")
    found: list[Plugin] = []
    for name, setup in SETUPS.items():
        directives = tuple(directive for directive in block.directives if directive.name.text == name)
        if directives:
            try:
                found += setup(directives, scope)
            except CorefileError as error:
                raise CorefileError(str(error) if str(error).startswith("plugin/") else f"plugin/{name}: {error}"
                                    ) from None
    return tuple(found)
