"""Other users of the machine, what they can plant, and what a pod's root can reach."""

import json
import os
import sys
from pathlib import Path

import pytest
from pretend_host import LAB, NETLAB, NOBODY, needs_a_public_checkout, until

pytestmark = pytest.mark.lab
PROWL = Path(__file__).with_name("prowl.py")
PODS = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {colour: blue}
---
apiVersion: v1
kind: Pod
metadata: {name: guest}
spec:
  containers:
  - {name: guest, image: busybox, command: [sleep, "1000"], volumeMounts: [{name: s, mountPath: /settings}]}
  volumes: [{name: s, configMap: {name: settings}}]
"""


def start_pod(host):
    host.netlab("up")
    host.apply(PODS)
    until(lambda: "1/1" in host.netlab("get", "pods"), lambda: host.netlab("get", "events"))


def as_nobody(host, script):
    """(exit code, output) of a script that another local user runs."""
    return host.run(*NOBODY, "sh", "-c", script)


@pytest.mark.parametrize("script", [
    "ls /run/netlab", f"cat /run/netlab/{LAB}/lab.json", f"cat /run/netlab/{LAB}/state.db",
    f"curl -sS --unix-socket /run/netlab/{LAB}/api/api.sock http://lab/api",
    f"curl -sS --unix-socket /run/netlab/{LAB}/view/api.sock http://lab/api",
    f"ip netns exec {LAB}.worker true", f"nsenter --net=/run/netns/{LAB}.worker true",
    "nsenter -t $(pgrep -f netlab.lab.daemo[n]) -n true", "cat /proc/$(pgrep -of '^netlab: lab init')/environ",
    f"touch /run/netlab/{LAB}/x || touch /run/netlab/x || touch /run/netns/x || touch /etc/netns/{LAB}.worker/x",
])
def test_another_local_user_is_refused(host, script):
    host.netlab("up")
    code, output = as_nobody(host, script)
    assert code != 0, output


def test_no_file_socket_port_or_process_gives_another_local_user_the_api(host):
    python = os.path.realpath(sys.executable)
    if as_nobody(host, f"{python} -I -c pass")[0]:
        pytest.skip("another user cannot run this Python")
    start_pod(host)
    host.sh("install -m 644 /dev/stdin /tmp/prowl.py <<'END'\n" + PROWL.read_text() + "\nEND")
    token = json.loads(host.sh(f"cat /run/netlab/{LAB}/access.json"))["token"]
    code, output = as_nobody(host, f"echo {token} | {python} -I /tmp/prowl.py")
    assert code == 0, output
    said, _, tried = output.partition("tried:")
    assert said == "found:\n", output
    assert "=0" not in tried, output
    # The same looks find it when root looks.
    output = host.sh(f"echo {token} | {python} -I /tmp/prowl.py /run/netlab/{LAB} {host.record('daemon')}")
    for what in (f"the token is in /run/netlab/{LAB}/access.json", f"/run/netlab/{LAB}/api/api.sock answers",
                 "can be seen", "can be had", "can be traced"):
        assert what in output, output


@pytest.mark.parametrize(("arguments", "code"), [
    (("up",), 3), (("run", "coffee"), 3), (("down",), 3), (("list",), 3), (("get", "pods"), 3), (("status",), 3),
    (("exec", "worker", "--", "id"), 3), (("logs", "x"), 3), (("doctor",), 3), (("run",), 0), (("version",), 0),
])
def test_each_command_tells_another_user_to_use_sudo_or_needs_no_rights(host, arguments, code):
    needs_a_public_checkout()
    host.netlab("up")
    output = host.netlab(*arguments, code=code, before=NOBODY)
    assert "Traceback" not in output
    assert code == 0 or "sudo" in output


@pytest.mark.parametrize("plant", [
    "mkdir /run/netlab", "ln -s /etc /run/netlab", "ln -s /run/victim /run/netlab", "touch /run/netlab",
])
def test_what_another_user_has_put_in_the_place_of_the_run_directory_is_refused(host, plant):
    host.sh("mkdir -p /run/victim; chmod 1777 /run /run/victim")
    try:
        assert as_nobody(host, plant)[0] == 0
        output = host.netlab("up", code=3)
        assert "ls -ld /run/netlab" in output
        for arguments in (("list",), ("down",), ("down", "--all")):
            code, output = host.run(*NETLAB, *arguments)
            assert code in (0, 3), output
            assert "Traceback" not in output
            assert "apt" not in output
        assert host.sh("ls -A /run/victim") == ""
    finally:
        host.sh("rm -rf /run/netlab /run/victim; chmod 755 /run")


@pytest.mark.parametrize("plant", [
    f"ln -s /run/victim /run/netlab/{LAB}",
    f"ln -s /run/victim /etc/netns/{LAB}.worker",
    f"mkdir /etc/netns/{LAB}.worker && ln -s /run/victim/file /etc/netns/{LAB}.worker/resolv.conf",
    f"touch /run/netns/{LAB}.worker",
    f"touch /run/netns/{LAB}.worker && mount --bind /proc/self/ns/net /run/netns/{LAB}.worker",
])
def test_stale_names_lead_nowhere(host, plant):
    host.sh("mkdir -p -m 700 /run/netlab; mkdir -p /run/victim /etc/netns; echo precious >/run/victim/file")
    before = host.sh("ls -lA --time-style=full-iso /run/victim; ip -o address; ip route")
    host.sh(plant)
    code, output = host.run(*NETLAB, "up")
    assert code in (0, 3), output
    host.netlab("down")
    assert host.sh("ls -lA --time-style=full-iso /run/victim; ip -o address; ip route") == before
    host.sh("rm -r /run/victim")


def test_a_link_in_the_place_of_the_lock_is_refused(host):
    host.sh(f"mkdir -p -m 700 /run/netlab; ln -s /run/victim /run/netlab/.{LAB}.lock")
    for command in ("up", "down"):
        assert "ls -ld" in host.netlab(command, code=3)
    host.sh("test ! -e /run/victim; rm -r /run/netlab")


def test_a_secret_that_is_replaced_by_rename_stays_hidden_from_a_running_pod(host):
    start_pod(host)
    host.sh("for f in shadow gshadow security/opasswd; do cp -p /etc/$f /etc/$f.new; echo word >>/etc/$f.new; "
            "mv /etc/$f.new /etc/$f; done; mv /etc/ssh /etc/ssh.old; cp -rp /etc/ssh.old /etc/ssh; rm -r /etc/ssh.old")
    seen = host.netlab("exec", "guest", "--", "sh", "-c",
                       "cat /etc/shadow /etc/gshadow /etc/security/opasswd; ls /etc/ssh /etc/netns")
    assert seen.split() in (["/etc/netns:", "/etc/ssh:"], ["/etc/ssh:", "/etc/netns:"])


def test_programs_of_other_users_in_a_pod_can_read_what_they_resolve_and_are_configured_by(host):
    start_pod(host)
    host.netlab("exec", "guest", "--", *NOBODY, "sh", "-c",
                "grep -q nameserver /etc/resolv.conf && grep -q guest /etc/hosts && "
                "getent hosts kubernetes.default.svc.cluster.local && grep -q blue /settings/colour")


def test_only_the_dns_pods_reach_the_api_and_only_to_read(host):
    start_pod(host)
    host.netlab("exec", "guest", "--", "sh", "-c", "! find / -name api.sock 2>/dev/null | grep .")
    dns = host.netlab("get", "pods", "-n", "kube-system", "-o", "name").split()[0].removeprefix("pod/")
    curl = ("exec", f"kube-system/{dns}", "--", "curl", "-s", "-o", "/dev/null", "-w", "%{http_code} ",
            "--unix-socket", "/run/netlab/view/api.sock")
    pod = "http://lab/api/v1/namespaces/default/pods/guest"
    assert host.netlab(*curl, "http://lab/api/v1/services").split()[-1] == "200"
    for arguments in (("-X", "DELETE", pod), ("-X", "PATCH", "-d", "{}", pod), ("-X", "PUT", "-d", "{}", pod),
                      ("-X", "POST", "-d", "{}", "http://lab/api/v1/namespaces"),
                      ("-X", "POST", f"{pod}/exec?command=id"), ("http://lab/netlab/v1/controllers?name=scheduler&action=stop",)):
        assert host.netlab(*curl, *arguments).split()[-1] == "403", arguments
    assert "guest" in host.netlab("get", "pods")


def test_a_link_that_a_pod_made_in_its_volume_leads_no_other_container_onto_the_machine(host):
    host.netlab("up")
    host.apply("""
apiVersion: v1
kind: Pod
metadata: {name: climber}
spec:
  initContainers:
  - {name: plant, image: busybox, command: [ln, -s, /, /v/out], volumeMounts: [{name: v, mountPath: /v}]}
  containers:
  - {name: use, image: busybox, command: [sleep, "100"], volumeMounts: [{name: v, mountPath: /m, subPath: out}]}
  volumes: [{name: v, emptyDir: {}}]""")
    until(lambda: "symbolic link" in host.netlab("get", "events"), lambda: host.netlab("get", "events"))
    assert "1/1" not in host.netlab("get", "pods")


def test_the_machine_itself_is_the_same_while_a_lab_runs_and_after_it(host):
    look = "ip -o link; ip -o address; ip route show table all; ip rule; cut -d' ' -f5- /proc/self/mountinfo; " \
           "iptables-legacy-save | grep -v '^#'; grep -rs '' /proc/sys/net | grep -v conntrack_count"

    def seen():
        return {line for line in host.sh(look).splitlines() if f"/run/netns/{LAB}." not in line}

    before = seen()
    host.netlab("run", "clusterip")
    assert seen() ^ before == set()
    start_pod(host)
    assert seen() ^ before == set()
    host.netlab("down")
    assert seen() ^ before == set()
    assert f"/run/netns/{LAB}." not in host.sh("cat /proc/self/mountinfo")
