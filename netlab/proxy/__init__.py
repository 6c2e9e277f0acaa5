"""From Services and endpoints to what a node's kernel must hold; one file per mode."""

from netlab.proxy import iptables, nftables

MODES = {"iptables": iptables.compile, "nftables": nftables.compile}
CACHES = {"iptables": iptables.Cache, "nftables": nftables.Cache}
