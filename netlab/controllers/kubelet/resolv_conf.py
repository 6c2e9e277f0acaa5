"""A pod's /etc/resolv.conf from dnsPolicy and dnsConfig."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from netlab.model import meta

MAX_NAMESERVERS, MAX_SEARCHES, MAX_SEARCH_CHARACTERS = 3, 32, 2048
MAX_SEARCH = 253  # characters of one search domain: resolvers abort at longer ones


@dataclass(frozen=True)
class ResolvConf:
    """What the file says; `render` writes it in the order of container runtimes."""

    nameservers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    def render(self) -> str:
        """The file's text."""
        lines = [f"search {' '.join(self.searches)}"] if self.searches else []
        lines += [f"nameserver {server}" for server in self.nameservers]
        lines += [f"options {' '.join(self.options)}"] if self.options else []
        return "".join(f"{line}\n" for line in lines)


def parse(text: str) -> ResolvConf:
    """What a resolv.conf says (resolv.conf(5): the last search or domain line counts)."""
    servers: list[str] = []
    searches: tuple[str, ...] = ()
    options: list[str] = []
    for line in text.splitlines():
        words = line.split("#")[0].split(";")[0].split()
        if len(words) < 2:
            continue
        if words[0] == "nameserver":
            servers.append(words[1])
        elif words[0] in ("search", "domain"):
            searches = tuple(words[1:])
        elif words[0] == "options":
            options += words[1:]
    return ResolvConf(tuple(servers), searches, tuple(options))


def for_pod(pod: Mapping[str, Any], *, domain: str, dns_ip: str, host: ResolvConf) -> tuple[ResolvConf, list[str]]:
    """(the pod's resolv.conf, messages of DNSConfigForming events about what was cut to the limits)."""
    spec = meta.spec(pod)
    policy = spec.get("dnsPolicy") or "ClusterFirst"
    if policy == "ClusterFirst" and spec.get("hostNetwork"):
        policy = "Default"
    base = host
    if policy == "None":
        base = ResolvConf()
    elif policy != "Default":
        searches = (f"{meta.namespace(pod)}.svc.{domain}", f"svc.{domain}", domain)
        base = ResolvConf((dns_ip,), _unique(searches + host.searches), ("ndots:5",))
    config = spec.get("dnsConfig") or {}
    merged = ResolvConf(
        _unique(base.nameservers + tuple(config.get("nameservers") or ())),
        _unique(base.searches + tuple(config.get("searches") or ())),
        _merge(base.options, config.get("options") or ()))
    return limit(merged)


def limit(conf: ResolvConf) -> tuple[ResolvConf, list[str]]:
    """(the settings within the resolver's limits, the kubelet's messages about what was left out)."""
    messages = []
    servers = conf.nameservers[:MAX_NAMESERVERS]
    if servers != conf.nameservers:
        messages.append("Nameserver limits were exceeded, some nameservers have been omitted, "
                        f"the applied nameserver line is: {' '.join(servers)}")
    searches = tuple(search for search in conf.searches[:MAX_SEARCHES] if len(search) <= MAX_SEARCH)
    while len(" ".join(searches)) > MAX_SEARCH_CHARACTERS:
        searches = searches[:-1]
    if searches != conf.searches:
        messages.append("Search Line limits were exceeded, some search paths have been omitted, "
                        f"the applied search line is: {' '.join(searches)}")
    return ResolvConf(servers, searches, conf.options), messages


def _merge(options: tuple[str, ...], more: Any) -> tuple[str, ...]:
    result = {option.partition(":")[0]: option for option in options}
    for option in more:
        value = option.get("value")
        result[option["name"]] = option["name"] if value in (None, "") else f"{option['name']}:{value}"
    return tuple(result.values())


def _unique(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
