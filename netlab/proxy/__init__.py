"""From Services and endpoints to what a node's kernel must hold; one file per mode."""

from netlab.proxy import iptables, ipvs, nftables, userspace

MODES = {"iptables": iptables.compile, "nftables": nftables.compile, "userspace": userspace.compile,
         "ipvs": ipvs.compile}
CACHES = {"iptables": iptables.Cache, "nftables": nftables.Cache, "userspace": userspace.Cache, "ipvs": ipvs.Cache}
