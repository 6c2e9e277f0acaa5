"""From Services and endpoints to what a node's kernel must hold; one file per mode."""

from netlab.proxy import iptables

MODES = {"iptables": iptables.compile}
