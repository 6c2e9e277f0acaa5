"""kube-proxy's settings: what of upstream's KubeProxyConfiguration (kubeproxy.config.k8s.io/v1alpha1) a lab knows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import Any

from netlab.model.errors import FieldError, invalid, not_supported, required, unknown_field
from netlab.model.node_port_addresses import on_localhost

MODES = ("iptables", "nftables", "userspace", "ipvs")
SCHEDULERS = ("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "dh", "sed", "nq", "mh")
DETECT_LOCAL = ("ClusterCIDR", "NodeCIDR", "BridgeInterface", "InterfaceNamePrefix")
BE_LIBERAL = "nf_conntrack_tcp_be_liberal"
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|us|µs|ns|s)")


@dataclass(frozen=True)
class ProxySettings:
    """What was said, with upstream's defaults; periods in seconds. `cluster_cidr` None: the lab's pod range.

    `min_sync_period` None: as fast as the lab can (upstream waits a second between writes). `sysctls` are what
    kube-proxy sets for tracked connections, below net.netfilter. Known, but without effect: `conntrack.maxPerCore` and
    `conntrack.min` (a netns has no limit of its own: nf_conntrack_max is the machine's), `ipvs.tcpTimeout`,
    `ipvs.tcpFinTimeout` and `ipvs.udpTimeout`.
    """

    mode: str = ""
    cluster_cidr: str | None = None
    detect_local_mode: str = "ClusterCIDR"
    bridge_interface: str = ""
    interface_name_prefix: str = ""
    node_port_addresses: tuple[str, ...] = ()
    masquerade_all: bool = False
    masquerade_bit: int = 14
    localhost_node_ports: bool = True
    sync_period: float = 30.0
    min_sync_period: float | None = None
    sysctls: tuple[tuple[str, int], ...] = ()
    scheduler: str = "rr"
    strict_arp: bool = False
    exclude_cidrs: tuple[str, ...] = ()

    @property
    def be_liberal(self) -> bool:
        """Whether TCP packets outside of the window are no reason to drop them (conntrack.tcpBeLiberal)."""
        return (BE_LIBERAL, 1) in self.sysctls

    @property
    def localhost(self) -> bool:
        """Whether node ports may be used at 127.0.0.1."""
        return self.localhost_node_ports and on_localhost(self.node_port_addresses)


def read_proxy_settings(value: Any, *, mode: str = "", path: str = "spec.kubeProxy") -> \
        tuple[ProxySettings, list[FieldError]]:
    """The settings under `kubeProxy`, and every mistake in them. `mode` is the mode when they do not say one."""
    reader = _Reader(path)
    settings = reader.settings(value, mode)
    return settings, reader.errors


def seconds(text: str) -> float | None:
    """Seconds of a Go duration such as `1m30s`; None when it is none."""
    found = _DURATION.findall(text)
    if text == "0":
        return 0.0
    if not found or "".join(number + unit for number, unit in found) != text:
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in found)


class _Reader:
    def __init__(self, path: str) -> None:
        self.path = path
        self.errors: list[FieldError] = []

    def settings(self, value: Any, mode: str) -> ProxySettings:
        found = ProxySettings()
        known: dict[str, Callable[[str, Any], dict[str, Any]]] = {
            "apiVersion": self._only("kubeproxy.config.k8s.io/v1alpha1"), "kind": self._only("KubeProxyConfiguration"),
            "mode": self._mode, "clusterCIDR": self._cluster_cidr, "detectLocalMode": self._detect_local_mode,
            "detectLocal": self._detect_local, "nodePortAddresses": self._node_port_addresses,
            "iptables": lambda path, value: {}, "nftables": lambda path, value: {},
            "ipvs": lambda path, value: {},
            "conntrack": self._conntrack,
        }
        given = self._object(self.path, value)
        found = replace(found, **self._fields(self.path, given, known))
        mode = found.mode or mode or "iptables"
        for section in ("iptables", "nftables", "ipvs"):
            fields: dict[str, Callable[[str, Any], dict[str, Any]]] = {
                "masqueradeAll": self._flag("masquerade_all"), "masqueradeBit": self._bit,
                "syncPeriod": self._period("sync_period"), "minSyncPeriod": self._period("min_sync_period")}
            if section == "iptables":
                fields["localhostNodePorts"] = self._flag("localhost_node_ports")
            if section == "ipvs":
                fields = {key: fields[key] for key in ("syncPeriod", "minSyncPeriod")} | {
                    "scheduler": self._scheduler, "strictARP": self._flag("strict_arp"),
                    "excludeCIDRs": self._exclude_cidrs, "tcpTimeout": self._unused, "tcpFinTimeout": self._unused,
                    "udpTimeout": self._unused}
            path = f"{self.path}.{section}"
            values = self._fields(path, self._object(path, given.get(section)), fields)
            # As upstream: each mode has its own section; the modes that write iptables share iptables'.
            if section == mode or (section == "iptables" and mode in ("userspace", "ipvs")):
                found = replace(found, **values)
        return self._checked(found)

    def _checked(self, found: ProxySettings) -> ProxySettings:
        detect = f"{self.path}.detectLocal"
        if found.detect_local_mode == "BridgeInterface" and not found.bridge_interface:
            self.errors.append(required(f"{detect}.bridgeInterface", "for detectLocalMode BridgeInterface"))
        if found.detect_local_mode == "InterfaceNamePrefix" and not found.interface_name_prefix:
            self.errors.append(required(f"{detect}.interfaceNamePrefix", "for detectLocalMode InterfaceNamePrefix"))
        if found.min_sync_period is not None and found.min_sync_period > found.sync_period:
            self.errors.append(invalid(f"{self.path}.minSyncPeriod", found.min_sync_period,
                                       "must not be greater than syncPeriod"))
        return found

    def _object(self, path: str, value: Any) -> Mapping[str, Any]:
        if value is None or isinstance(value, Mapping):
            return value or {}
        self.errors.append(invalid(path, value, "must be an object"))
        return {}

    def _fields(self, path: str, given: Mapping[str, Any],
                known: Mapping[str, Callable[[str, Any], dict[str, Any]]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in given.items():
            if key not in known:
                self.errors.append(unknown_field(path, key, known))
            elif value is not None:
                found |= known[key](f"{path}.{key}", value)
        return found

    def _wrong(self, path: str, value: Any, detail: str) -> dict[str, Any]:
        self.errors.append(invalid(path, value, detail))
        return {}

    def _only(self, text: str) -> Callable[[str, Any], dict[str, Any]]:
        def read(path: str, value: Any) -> dict[str, Any]:
            if value != text:
                self.errors.append(not_supported(path, str(value), [text]))
            return {}

        return read

    def _flag(self, field: str) -> Callable[[str, Any], dict[str, Any]]:
        return lambda path, value: {field: value} if isinstance(value, bool) \
            else self._wrong(path, value, "must be true or false")

    def _text(self, field: str) -> Callable[[str, Any], dict[str, Any]]:
        return lambda path, value: {field: value} if isinstance(value, str) else self._wrong(path, value,
                                                                                             "must be a string")

    def _period(self, field: str) -> Callable[[str, Any], dict[str, Any]]:
        def read(path: str, value: Any) -> dict[str, Any]:
            found = seconds(value) if isinstance(value, str) else None
            if found is None:
                return self._wrong(path, value, 'must be a duration such as "30s"')
            if field == "sync_period" and not found:
                return self._wrong(path, value, "must be greater than 0")
            return {field: found}

        return read

    def _bit(self, path: str, value: Any) -> dict[str, Any]:
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 31:
            return {"masquerade_bit": value}
        return self._wrong(path, value, "must be within the range [0, 31]")

    def _mode(self, path: str, value: Any) -> dict[str, Any]:
        if value in ("", *MODES):
            return {"mode": value}
        self.errors.append(not_supported(path, str(value), list(MODES)))
        return {}

    def _cidr(self, path: str, value: Any) -> bool:
        try:
            ip_network(value)
            good = "/" in value
        except (ValueError, TypeError):
            good = False
        if not good:
            self._wrong(path, value, "must be a valid CIDR block (e.g. 10.100.0.0/16 or fde4:8dba:82e1::/48)")
        return good

    def _cluster_cidr(self, path: str, value: Any) -> dict[str, Any]:
        return {"cluster_cidr": value} if value == "" or self._cidr(path, value) else {}

    def _detect_local_mode(self, path: str, value: Any) -> dict[str, Any]:
        if value in DETECT_LOCAL:
            return {"detect_local_mode": value}
        self.errors.append(not_supported(path, str(value), list(DETECT_LOCAL)))
        return {}

    def _detect_local(self, path: str, value: Any) -> dict[str, Any]:
        return self._fields(path, self._object(path, value), {
            "bridgeInterface": self._text("bridge_interface"),
            "interfaceNamePrefix": self._text("interface_name_prefix")})

    def _node_port_addresses(self, path: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, list):
            return self._wrong(path, value, "must be a list of CIDRs, or [primary]")
        if value == ["primary"]:
            return {"node_port_addresses": ("primary",)}
        if "primary" in value:
            return self._wrong(path, value, "primary must be the only entry")
        good = [self._cidr(f"{path}[{number}]", cidr) for number, cidr in enumerate(value)]  # each mistake is told
        if all(good):
            return {"node_port_addresses": tuple(value)}
        return {}

    def _scheduler(self, path: str, value: Any) -> dict[str, Any]:
        if value in ("", *SCHEDULERS):
            return {"scheduler": value or "rr"}
        return self._wrong(path, value, f"must be in [{' '.join(SCHEDULERS)} ], blank means the default algorithm "
                                        "method (currently rr)")

    def _exclude_cidrs(self, path: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, list):
            return self._wrong(path, value, "must be a list of CIDRs")
        good = [self._cidr(f"{path}[{number}]", cidr) for number, cidr in enumerate(value)]
        return {"exclude_cidrs": tuple(value)} if all(good) else {}

    def _unused(self, path: str, value: Any) -> dict[str, Any]:
        """A duration that is checked, and has no effect in a lab."""
        self._period("unused")(path, value)
        return {}

    def _count(self, path: str, value: Any) -> dict[str, Any]:
        """A number that is checked, and has no effect in a lab."""
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            self._wrong(path, value, "must be greater than or equal to 0")
        return {}

    def _conntrack(self, path: str, value: Any) -> dict[str, Any]:
        sysctls: dict[str, int] = {}

        def timeout(sysctl: str) -> Callable[[str, Any], dict[str, Any]]:
            def read(path: str, value: Any) -> dict[str, Any]:
                found = self._period("x")(path, value).get("x")
                if found:
                    sysctls[sysctl] = round(found)
                return {}

            return read

        def liberal(path: str, value: Any) -> dict[str, Any]:
            if self._flag("x")(path, value).get("x"):
                sysctls[BE_LIBERAL] = 1
            return {}

        self._fields(path, self._object(path, value), {
            "tcpEstablishedTimeout": timeout("nf_conntrack_tcp_timeout_established"),
            "tcpCloseWaitTimeout": timeout("nf_conntrack_tcp_timeout_close_wait"),
            "udpTimeout": timeout("nf_conntrack_udp_timeout"),
            "udpStreamTimeout": timeout("nf_conntrack_udp_timeout_stream"), "tcpBeLiberal": liberal,
            "maxPerCore": self._count, "min": self._count})
        return {"sysctls": tuple(sysctls.items())}
