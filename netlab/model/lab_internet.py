"""The `internet` of a lab file, read and checked: every mistake is found, each with its field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import Any

from netlab.model import names
from netlab.model.errors import FieldError, duplicate, invalid, required, unknown_field
from netlab.model.images import pairs, port_numbers, strings
from netlab.model.internet import DEFAULT_IMAGE, DEFAULT_NETWORKS, Internet, OutsideHost
from netlab.model.lab_ranges import UNUSABLE, UNUSABLE_RULE
from netlab.model.ranges import Address, Network, Ranges, family_of
from netlab.model.zone_text import conflicts, read_records, zone_name

PATH = "spec.internet"
KEYS = ("cidr", "hosts", "records", "routes")
HOST_KEYS = ("name", "names", "address", "image", "command", "args", "env", "ports")
MAX_HOSTS = 100
MOST = 65535  # the highest number of an address: interfaces are numbered and named by it
FIRST_FREE = 10  # the number of the first host's address, where the network is not very small


class InternetReader:
    """Reads an `internet:`; `errors` has what is wrong. `taken` are the names of nodes and other hosts."""

    def __init__(self, given: Any, *, ranges: Sequence[Ranges], nodes: Sequence[str], taken: Iterable[str],
                 domain: str) -> None:
        self.errors: list[FieldError] = []
        self._given: Mapping[str, Any] = {}
        self._ranges, self._nodes, self._taken, self._domain = ranges, nodes, {*taken}, domain
        if isinstance(given, Mapping):
            self._given = given
            self._unknown(PATH, given, KEYS)
        elif given is not None:
            self._wrong(PATH, given, "must be an object, such as {hosts: [{name: shop, names: [shop.example.com]}]}")

    def read(self) -> Internet | None:
        """The settings; of no use when there are errors."""
        networks = self._networks()
        if networks is None:
            return None
        hosts = self._hosts(networks)
        given = self._given.get("records")
        if given is not None and not (isinstance(given, list) and all(isinstance(line, str) for line in given)):
            self._wrong(f"{PATH}.records", given, "must be a list of lines such as \"shop.example.com CNAME "
                                                  "web.example.net\"")
            given = None
        records, errors = read_records(given or (), f"{PATH}.records", domain=self._domain)
        self.errors += [*errors, *conflicts(records, [name for host in hosts for name in host.names],
                                            f"{PATH}.records")]
        return Internet(networks, hosts, records, self._routes(networks))

    def _wrong(self, path: str, value: Any, detail: str) -> None:
        shown = value if value is None or isinstance(value, str | int | float | list | dict) else str(value)
        self.errors.append(invalid(path, shown, detail))

    def _unknown(self, path: str, value: Mapping[Any, Any], known: Sequence[str]) -> None:
        for key in value:
            if key not in known:
                self.errors.append(unknown_field(path, key, known))

    def _networks(self) -> tuple[Network, ...] | None:
        """The network of each of the lab's families; None when what is given is no use."""
        families = [each.family for each in self._ranges]
        found = {family: DEFAULT_NETWORKS[family] for family in families}
        path, given = f"{PATH}.cidr", self._given.get("cidr")
        before = len(self.errors)
        if given is not None and not isinstance(given, str):
            self._wrong(path, given, f'must be text such as "{",".join(map(str, found.values()))}"')
            return None
        seen: set[str] = set()
        for text in (given or "").split(",") if given is not None else ():
            network = _network(text.strip())
            if network is None:
                self._wrong(path, text, f'must be a range such as "{found[families[0]]}"')
                continue
            family = family_of(network)
            if family not in found:
                self._wrong(path, text, f"is {family}, and ipFamilies has {' and '.join(families)} only")
            elif family in seen:
                self._wrong(path, text, f"is a second range of {family}: there may be one of each family")
            elif network.prefixlen < 8 or any(network.overlaps(other) for other in UNUSABLE[family]):
                self._wrong(path, text, UNUSABLE_RULE[family])
            elif network.num_addresses < 8:
                self._wrong(path, text, "too small: a router and a DNS server need addresses too")
            seen.add(family)
            found[family] = network
        if len(self.errors) > before:
            return None
        for each in self._ranges:
            for key, other in (("nodeCIDR", each.node), ("podCIDR", each.pod), ("serviceCIDR", each.service)):
                if found[each.family].overlaps(other):
                    self._wrong(path, str(found[each.family]), f"overlaps with {key} {other}")
        return tuple(found[family] for family in families)

    def _hosts(self, networks: tuple[Network, ...]) -> tuple[OutsideHost, ...]:
        given = self._given.get("hosts")
        if given is None:
            return ()
        if not isinstance(given, list) or len(given) > MAX_HOSTS:
            self._wrong(f"{PATH}.hosts", given if not isinstance(given, list) else len(given),
                        f"must be a list of at most {MAX_HOSTS} hosts")
            return ()
        used = {address for network in networks for address in (network[0], network[1], network[2], network[-1])}
        wanted = [self._addresses(host, f"{PATH}.hosts[{index}].address", networks, used)
                  for index, host in enumerate(given)]
        hosts = []
        for index, host in enumerate(given):
            made = self._host(host, f"{PATH}.hosts[{index}]", wanted[index], networks, used)
            if made:
                hosts.append(made)
        return tuple(hosts)

    def _host(self, host: Any, path: str, wanted: Mapping[int, Address], networks: tuple[Network, ...],
              used: set[Address]) -> OutsideHost | None:
        if not isinstance(host, Mapping):
            self._wrong(path, host, "must be an object with a name")
            return None
        self._unknown(path, host, HOST_KEYS)
        name = host.get("name")
        if not isinstance(name, str) or not name:
            self.errors.append(required(f"{path}.name", "hosts are called by it: netlab exec NAME"))
        elif problems := names.dns_label(name):
            self._wrong(f"{path}.name", name, problems[0])
        elif name in self._taken:
            self._wrong(f"{path}.name", name, "a node or another part of the lab has this name")
        self._taken.add(str(name))
        image = host.get("image", DEFAULT_IMAGE)
        if not isinstance(image, str) or not image:
            self._wrong(f"{path}.image", image, "must be an image's name")
        command, args = (strings(host.get(key), f"{path}.{key}", self.errors) for key in ("command", "args"))
        env = pairs(host.get("env"), f"{path}.env", "NAME: value", self.errors)
        ports = port_numbers(host.get("ports"), f"{path}.ports", self.errors)
        chosen = []
        for network in networks:
            address = wanted.get(network.version) or _free(network, used)
            if address is None:
                self._wrong(f"{PATH}.cidr", str(network), "has no address left for every host")
                return None
            used.add(address)
            chosen.append(address)
        return OutsideHost(str(name), tuple(chosen), self._names(host.get("names"), f"{path}.names"), str(image),
                           command, args, env, ports)

    def _addresses(self, host: Any, path: str, networks: tuple[Network, ...], used: set[Address]) \
            -> dict[int, Address]:
        """The addresses that the host asks for, by IP version. All hosts are asked before any gets a free one."""
        text = host.get("address") if isinstance(host, Mapping) else None
        found: dict[int, Address] = {}
        if text is None:
            return found
        if not isinstance(text, str):
            self._wrong(path, text, f'must be text such as "{networks[0][FIRST_FREE % networks[0].num_addresses]}"')
            return found
        for part in text.split(","):
            try:
                address = ip_address(part.strip())
            except ValueError:
                self._wrong(path, part, "must be an IP address")
                continue
            network = next((network for network in networks if address in network), None)
            if network is None:
                self._wrong(path, part, f"must lie in the internet's cidr {','.join(map(str, networks))}")
            elif int(address) - int(network.network_address) > MOST:
                self._wrong(path, part, f"must be one of the first {MOST} addresses of {network}")
            elif address.version in found:
                self._wrong(path, part, "is a second address of its family")
            elif address in used:
                self._wrong(path, part, "is taken by the network itself, the router, the DNS server or another host")
            else:
                found[address.version] = address
                used.add(address)
        return found

    def _names(self, given: Any, path: str) -> tuple[str, ...]:
        if given is None:
            return ()
        if not isinstance(given, list):
            self._wrong(path, given, "must be a list of DNS names")
            return ()
        found: list[str] = []
        for index, text in enumerate(given):
            problem = zone_name(text, domain=self._domain)
            if problem:
                self._wrong(f"{path}[{index}]", text, problem)
            elif text in found:
                self.errors.append(duplicate(f"{path}[{index}]", text))
            else:
                found.append(text)
        return tuple(found)

    def _routes(self, networks: tuple[Network, ...]) -> tuple[tuple[Network, str], ...]:
        given = self._given.get("routes")
        if given is None:
            return ()
        path = f"{PATH}.routes"
        if not isinstance(given, list):
            self._wrong(path, given, 'must be a list such as [{to: 203.0.113.7, via: worker}]')
            return ()
        known = [("the internet's cidr", network) for network in networks]
        known += [pair for each in self._ranges for pair in (("nodeCIDR", each.node), ("podCIDR", each.pod),
                                                             ("serviceCIDR", each.service))]
        found: list[tuple[Network, str]] = []
        for index, item in enumerate(given):
            place = f"{path}[{index}]"
            if not isinstance(item, Mapping):
                self._wrong(place, item, "must be an object with to and via")
                continue
            self._unknown(place, item, ("to", "via"))
            via, to = item.get("via"), _network(item["to"], single=True) if isinstance(item.get("to"), str) else None
            if via not in self._nodes:
                self._wrong(f"{place}.via", via, f"must be a node: {', '.join(self._nodes)}")
            if to is None:
                self._wrong(f"{place}.to", item.get("to"), "must be an address or a range such as 203.0.113.0/24")
                continue
            others = [*known, *((f"{path}[{number}]", other) for number, (other, _) in enumerate(found))]
            clash = next((pair for pair in others if pair[1].version == to.version and pair[1].overlaps(to)), None)
            family = family_of(to)
            if family not in [each.family for each in self._ranges]:
                self._wrong(f"{place}.to", str(item["to"]), f"is {family}, which the lab does not have")
            elif clash:
                self._wrong(f"{place}.to", str(item["to"]), f"overlaps with {clash[0]} {clash[1]}")
            elif to.prefixlen < 8 or any(to.overlaps(other) for other in UNUSABLE[family]):
                self._wrong(f"{place}.to", str(item["to"]), UNUSABLE_RULE[family])
            else:
                found.append((to, str(via)))
        return tuple(found)


def _network(text: str, *, single: bool = False) -> Network | None:
    try:
        return ip_network(text) if single or "/" in text else None
    except ValueError:
        return None


def _free(network: Network, used: set[Address]) -> Address | None:
    first = FIRST_FREE if network.num_addresses >= 2 * FIRST_FREE else 3
    last = min(network.num_addresses - 1, first + 2 * MAX_HOSTS + 8)
    order = [*range(first, last), *range(3, first)]
    return next((network[number] for number in order if network[number] not in used), None)
