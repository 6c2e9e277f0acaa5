from netlab.scenario.objects_step import of_service

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
