"""What the README tells people to type works as it stands."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
LAB = f"readme{os.getpid()}"

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: netlab/echo, ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80, nodePort: 30080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: debugger}
spec: {containers: [{name: shell, image: nicolaka/netshoot, command: [sleep, infinity]}]}
"""


def section(title):
    """The text of one section."""
    return re.split(r"^##+ ", README.split(f"## {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def commands(title):
    """The command lines of a section's console blocks, without comments."""
    blocks = re.findall(r"```console\n(.*?)```", section(title), re.DOTALL)
    lines = [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    return [re.sub(r"\s+#.*", "", line) for line in lines]


@pytest.mark.lab
def test_the_commands_of_daily_use_work_in_that_order(tmp_path):
    (tmp_path / "web.yaml").write_text(WEB)
    netlab = f"{shlex.quote(sys.executable)} -P -m netlab"
    environment = os.environ | {"NETLAB_NAME": LAB, "PYTHONPATH": str(ROOT)}
    found = commands("Daily use")
    assert len(found) >= 8
    try:
        for line in found:
            command = line.replace("sudo scripts/netlab", netlab).replace("sudo ", "")
            command = command.replace("netlab.worker", f"{LAB}.worker")
            if "curl" in command:
                settle = f"{netlab} exec debugger -- curl -s --retry 20 --retry-delay 1 --retry-connrefused http://web"
                subprocess.run(settle, shell=True, env=environment, cwd=tmp_path, capture_output=True, check=False)
            done = subprocess.run(command, shell=True, env=environment, cwd=tmp_path, capture_output=True, text=True,
                                  check=False)
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
            if "curl" in command:
                assert "Pod: web-" in done.stdout, f"{line}\n{done.stdout}"
            if "iptables" in command:
                assert "KUBE-SVC-" in done.stdout, f"{line}\n{done.stdout}"
    finally:
        subprocess.run(f"{netlab} down", shell=True, env=environment, check=True, capture_output=True)


def typed(section, home):
    """What a section's commands print when they are typed into one shell; the lab goes afterwards."""
    netlab = f"{shlex.quote(sys.executable)} -P -m netlab"
    lines = [line.replace("sudo scripts/netlab", netlab) for line in commands(section)]
    environment = os.environ | {"NETLAB_NAME": LAB, "PYTHONPATH": str(ROOT), "HOME": str(home)}
    try:
        done = subprocess.run(["bash", "-ec", "\n".join(lines)], env=environment, capture_output=True, text=True,
                              check=False)
    finally:
        subprocess.run(f"{netlab} down", shell=True, env=environment, check=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.lab
@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
def test_the_commands_of_kubectl_work_in_one_shell(tmp_path):
    printed = typed("kubectl", tmp_path)
    assert "coredns-" in printed
    assert "no\nnot yet\n" in printed


@pytest.mark.lab
def test_the_commands_about_dns_work_in_that_order(tmp_path):
    printed = typed("Cluster DNS", tmp_path)
    assert "kubernetes cluster.local" in printed
    assert "\n10.96.0.1\n" in printed


@pytest.mark.lab
def test_the_transcript_is_what_the_command_prints():
    """Line by line and in order, whatever the numbers; `…` stands for lines that are left out."""
    shown = section("Two commands").rpartition("```console\n")[2].partition("```")[0].splitlines()
    assert shown[0].endswith("netlab run coffee")
    command = [sys.executable, "-P", "-m", "netlab", "run", "--name", LAB, "coffee"]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rest = iter([masked(line.replace(LAB, "netlab")) for line in (done.stdout + done.stderr).splitlines()])
    for line in shown[1:]:
        assert line == "…" or masked(line) in rest, f"not printed, or not in this place: {line}"


def masked(line):
    """The line without what differs from run to run: numbers, addresses, hashes, which of two pods."""
    return re.sub(r"KUBE-SEP-\w+", "KUBE-SEP", re.sub(r"[0-9]+([.:]?[0-9])*", "N", line.replace("coffee01", "coffee")))


def yaml_of(title):
    """The YAML of a section."""
    return re.findall(r"```yaml\n(.*?)```", section(title), re.DOTALL)[0]


def test_the_lab_file_of_the_readme_is_a_valid_one(tmp_path):
    from netlab.scenario.lab_file import load

    (tmp_path / "lab.yaml").write_text(yaml_of("Lab files"))
    assert load(str(tmp_path / "lab.yaml")).name == "shop"


@pytest.mark.lab
@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
def test_the_examples_for_ci_pass_in_a_fresh_directory(tmp_path):
    """The README's, and those of `netlab help pytest` and `netlab help scenario`, as a reader would copy them."""
    from netlab.cli.topics import examples

    code, scenario = (text for text in examples("pytest") if not text.startswith("sudo"))
    (long,) = (text for text in examples("scenario") if "kind: Scenario" in text)
    readme = re.findall(r"```python\n(.*?)```", section("In CI"), re.DOTALL)[0]
    for name, text in (("test_web.py", code), ("web.netlab.yaml", scenario), ("long.netlab.yaml", long),
                       ("first.netlab.yaml", yaml_of("Scenarios")), ("test_readme_code.py", readme)):
        (tmp_path / name).write_text(text)
    done = subprocess.run([sys.executable, "-m", "pytest", "-p", "netlab.pytest_plugin", "-p", "no:cacheprovider",
                           "--strict-markers", "-q"], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)},
                          capture_output=True, text=True, check=False)
    assert re.search(r"^5 passed", done.stdout, re.MULTILINE), done.stdout + done.stderr


@pytest.mark.lab
def test_the_lab_file_with_every_key_comes_up(tmp_path):
    from netlab.cli.topics import examples

    (tmp_path / "lab.yaml").write_text(next(text for text in examples("lab-file") if "kind: Lab" in text))
    netlab = [sys.executable, "-P", "-m", "netlab"]
    environment = os.environ | {"NETLAB_NAME": LAB, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    try:
        for words in (["up", str(tmp_path / "lab.yaml")], ["exec", "web", "--", "true"],
                      ["exec", "client", "--", "curl", "-s", "--retry", "20", "--retry-connrefused",
                       "http://shop.example.com/"]):
            done = subprocess.run([*netlab, *words], env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
    finally:
        subprocess.run([*netlab, "down"], env=environment, check=True, capture_output=True)
