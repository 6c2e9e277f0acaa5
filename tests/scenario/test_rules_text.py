from netlab.netfilter import render
from netlab.proxy import nftables
from netlab.proxy.snapshot import NodeView, Snapshots
from netlab.scenario.objects_step import of_service
from tests.proxy.manifests import endpoint_slice, service
from tests.proxy.worked import THREE

RULES = """*nat
:KUBE-SERVICES - [0:0]
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m comment --comment "default/web cluster IP" -m tcp --dport 80 -j KUBE-SVC-A
-A KUBE-SERVICES -d 10.96.0.2/32 -p tcp -m comment --comment "default/web2 cluster IP" -m tcp --dport 80 -j KUBE-SVC-B
-A KUBE-SVC-A -m comment --comment "default/web -> 10.244.0.2:80" -j KUBE-SEP-A
-A KUBE-SEP-A -s 10.244.0.2/32 -m comment --comment "default/web" -j KUBE-MARK-MASQ
-A KUBE-SEP-C -s 10.244.0.2/32 -m comment --comment "default/web:http" -j KUBE-MARK-MASQ
-A KUBE-SVC-D -m comment --comment "masquerade traffic for default/web external destinations" -j KUBE-MARK-MASQ
-A KUBE-SEP-E -m comment --comment "other/web" -j KUBE-MARK-MASQ
COMMIT
"""


def test_the_rules_of_one_service_are_those_whose_comment_names_it():
    assert [line.split()[1] for line in of_service(RULES, "default/web").splitlines()] == [
        "KUBE-SERVICES", "KUBE-SVC-A", "KUBE-SEP-A", "KUBE-SEP-C", "KUBE-SVC-D"]


def test_of_nftables_they_are_its_chains_and_what_leads_to_them():
    manifests = [service("web", "10.96.0.1"), service("web2", "10.96.0.2"), service("empty", "10.96.0.3")]
    rows = Snapshots().take(manifests, [endpoint_slice(name, *THREE[:1]) for name in ("web", "web2")])
    text = render(nftables.compile(rows, NodeView("n1", ("172.18.0.2",), "", "10.244.0.0/16")))
    lines = of_service(text, "default/web").splitlines()
    assert lines[0] == "elements = { 10.96.0.1 . tcp . 80 : goto service-PFISGYVC-default/web/tcp/,"
    assert [line.split("-")[0] for line in lines if line.startswith("\tchain ")] \
        == ["\tchain service", "\tchain endpoint"]
    assert not [line for line in lines if "web2" in line]
    assert of_service(text, "default/empty") == (
        'elements = { 10.96.0.3 . tcp . 80 comment "default/empty" : goto reject-chain }\n')
