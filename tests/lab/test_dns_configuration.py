"""Cluster DNS as its users configure it: the Corefile in kube-system/coredns, the pods' log, their metrics."""

import pytest

pytestmark = pytest.mark.lab
LAB = "dnsconf"
CONFIG_MAP = "/api/v1/namespaces/kube-system/configmaps/coredns"
PODS = "/api/v1/namespaces/kube-system/pods?labelSelector=k8s-app%3Dkube-dns"

MANIFESTS = """
apiVersion: v1
kind: Pod
metadata: {name: tools}
spec: {containers: [{name: c, image: nicolaka/netshoot, command: [sleep, infinity]}]}
"""


@pytest.fixture
def corefile(lab):
    """The text; as it was again after the test."""
    text = lab.lab.api.get(CONFIG_MAP)["data"]["Corefile"]
    yield text
    write(lab, text)


def write(lab, text):
    held = lab.lab.api.get(CONFIG_MAP)
    lab.lab.api.json("PUT", CONFIG_MAP, held | {"data": {"Corefile": text}})


def pods(lab):
    return lab.lab.api.get(PODS)["items"]


def logs(lab):
    """The logs of all DNS pods, by name."""
    names = [pod["metadata"]["name"] for pod in pods(lab)]
    return {name: lab.netlab("logs", "-n", "kube-system", name)[1] for name in names}


def all_say(lab, text):
    lab.until(lambda: all(text in log for log in logs(lab).values()), f"all DNS pods' logs say {text!r}", limit=30)


def dig(lab, *words):
    return lab.execute("default/tools", "dig", "+time=2", "+tries=2", *words)


def test_an_edit_takes_effect_and_a_wrong_one_only_shows_in_the_log(lab, corefile):
    assert "status: SERVFAIL" in dig(lab, "printer.office")
    write(lab, corefile.replace("    ready\n", "    ready\n    log\n    hosts {\n      192.0.2.9 printer.office\n"
                                               "      fallthrough\n    }\n"))
    all_say(lab, "[INFO] Reloading complete\n")
    assert dig(lab, "+short", "printer.office") == "192.0.2.9\n"
    assert '"A IN printer.office. udp ' in "".join(logs(lab).values())
    write(lab, corefile.replace("    ready\n", "    ready\n    foo\n"))
    all_say(lab, "/etc/coredns/Corefile:7 - Error during parsing: Unknown directive 'foo'\n")
    assert dig(lab, "+short", "printer.office") == "192.0.2.9\n"
    assert all(pod["status"]["containerStatuses"][0]["restartCount"] == 0 for pod in pods(lab))


def test_a_pod_that_starts_with_a_wrong_corefile_crashes_until_it_is_right(lab, corefile):
    write(lab, corefile.replace("    loop\n", "    lop\n"))
    victim = pods(lab)[0]["metadata"]["name"]
    lab.netlab("delete", "pod", victim, "-n", "kube-system")

    def waiting():
        states = [pod["status"].get("containerStatuses", [{}])[0].get("state", {}) for pod in pods(lab)]
        return [state["waiting"]["reason"] for state in states if "waiting" in state]

    lab.until(lambda: waiting() == ["CrashLoopBackOff"], "the new pod crashes", limit=60)
    crashed = next(name for name, log in logs(lab).items() if log.endswith("Unknown directive 'lop'\n"))
    assert logs(lab)[crashed].endswith("Corefile:20 - Error during parsing: Unknown directive 'lop'\n")
    assert dig(lab, "+short", "kubernetes.default.svc.cluster.local") == "10.96.0.1\n"
    write(lab, corefile)
    lab.netlab("delete", "pod", crashed, "-n", "kube-system")
    lab.until(lambda: sorted(pod["status"].get("phase") for pod in pods(lab)) == ["Running"] * 2 and not waiting(),
              "two DNS pods serve", limit=60)


def test_metrics_are_there_through_the_service(lab):
    def scraped():  # each of the two pods tells what it was asked itself
        dig(lab, "kubernetes.default.svc.cluster.local")
        text = lab.execute("default/tools", "curl", "-sS", "--max-time", "10",
                           "http://kube-dns.kube-system:9153/metrics")
        return text if "# TYPE coredns_dns_requests_total counter\n" in text else ""

    text = lab.until(scraped, "a pod that was asked is scraped")
    assert 'coredns_build_info{goversion="' in text
