#!/bin/sh
# Prepares the virtual machine; may be run again at any time.
set -eu
# Legacy iptables and its matches, where they are modules; a kernel that has them built in has nothing to load.
for module in ip_tables iptable_filter iptable_nat iptable_mangle xt_comment xt_statistic xt_conntrack xt_mark \
              xt_addrtype xt_recent xt_MASQUERADE xt_REDIRECT ipt_REJECT veth bridge; do
    modprobe -q "$module" && echo "$module" || true
done > /etc/modules-load.d/netlab.conf
/netlab/scripts/netlab doctor
