"""What kubectl prints: each story of kubectl_sessions/ is typed with every kubectl at hand, in a namespace of its own.

`netlab` in a story is the command, for that lab.

A story is a session as a terminal shows it: `$ ` and the command, what it prints (standard output, then standard
error), and `[code]` when it fails. `$1.30+ ` is for kubectl 1.30 and newer, `$1.30- ` for older ones. What differs from
run to run is masked (see MASKS), runs of spaces count as one; in what is expected `...` stands for anything,
as a line for any lines.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
LAB = f"ktl{os.getpid()}"
VERSIONS = ("1.27", "1.30", "1.33")
OLD = "1.20"  # has stories of its own: it checks manifests itself, by OpenAPI, and words much in another way
OLD_STORIES = ("old",)
SESSIONS = Path(__file__).parent / "kubectl_sessions"
_SUFFIX = "[bcdfghjklmnpqrstvwxz2456789]"  # what generated names end in
MASKS = tuple((re.compile(pattern, re.MULTILINE), mask) for pattern, mask in (
    (r"\x1b\[[0-9;]*m", ""),
    (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
    (r"\b\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000", "TIME"),
    (r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ \+0000", "TIME"),
    (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "UID"),
    (r"/tmp/(LIVE|MERGED)-\d+/", r"\1/"),
    (rf"(-|\bhash=){_SUFFIX}{{6,10}}(-{_SUFFIX}{{5}})?\b", r"\1HASH"),
    (rf"(\bweb|kube-api-access)-{_SUFFIX}{{5}}\b", r"\1-HASH"),
    (r"\b\d{1,3}(\.\d{1,3}){3}\b", "IP"),
    (r"(^|(?<=[ (]))((\d+m)?\d+s(?= |\)|$)|\d{1,2}m$)", "AGE"),
    (r"(resourceVersion\"?: )\"\d+\"", r"\1RV"),
    (r"(?<=https://IP:)\d+", "PORT"),
    (r"(?<=:)3\d{4}(?=/)", "NODEPORT"),
    (r"netlab://[0-9a-f]{64}", "ID"),
    (r" +", " "),
))
pytestmark = pytest.mark.lab


def binary(version):
    """The kubectl of that version: kubectl.1.30 next to kubectl or to python, or kubectl itself."""
    plain = shutil.which("kubectl") or ""
    beside = [str(Path(program).parent / f"kubectl.{version}") for program in (Path(plain).resolve(), sys.executable)]
    for name in (f"kubectl.{version}", *beside, plain):
        found = shutil.which(name)
        if found and reported(found).startswith(f"v{version}."):
            return Path(found).resolve()
    return None


def reported(path):
    done = subprocess.run([path, "version", "--client", "-o", "json"], capture_output=True, text=True, check=False)
    return json.loads(done.stdout)["clientVersion"]["gitVersion"] if done.returncode == 0 else ""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home directory with the kubeconfig of a lab."""
    if not any(binary(version) for version in (OLD, *VERSIONS)):
        pytest.skip("kubectl is not installed")
    path = tmp_path_factory.mktemp("home")
    try:
        netlab("up", home=path)
        yield path
    finally:
        netlab("down", home=path)


@pytest.fixture(scope="module")
def client(request, home):
    """(version, environment) for one kubectl."""
    found = binary(request.param)
    if not found:
        pytest.skip(f"kubectl {request.param} is not installed")
    programs = home / request.param
    if not programs.exists():  # pytest asks again when it has played another version between
        programs.mkdir()
        (programs / "kubectl").symlink_to(found)
        (programs / "netlab").write_text(
            f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -P -m netlab --name {LAB} "$@"\n')
        (programs / "netlab").chmod(0o755)
    return request.param, os.environ | {"HOME": str(home), "PATH": f"{programs}:{os.environ['PATH']}", "LC_ALL": "C",
                                        "KUBECONFIG": str(programs / "config"), "TZ": "UTC"}


def netlab(*arguments, home):
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("SUDO_", "NETLAB_"))}
    subprocess.run([sys.executable, "-P", "-m", "netlab", "--name", LAB, *arguments], check=True, timeout=60, cwd="/",
                   env=environment | {"PYTHONPATH": str(ROOT), "HOME": str(home)}, capture_output=True)


def rows(text, version):
    """(command, expected text, exit code) of a story, for one version."""
    for part in re.split(r"^(?=\$)", text, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        guard, _, command = command.removeprefix("$").partition(" ")
        if guard:
            newer = version >= guard[:-1]
            if newer != (guard[-1] == "+"):
                continue
        code = re.search(r"^\[(\d+)\]\n*\Z", expected, flags=re.MULTILINE)
        yield command, expected[:code.start() if code else None], int(code[1]) if code else 0


def masked(text, namespace):
    text = text.replace(namespace, "NS")
    for pattern, mask in MASKS:
        text = pattern.sub(mask, text)
    return [line.strip() for line in text.splitlines() if line.strip()]


def fits(expected, got):
    """Whether the lines got are the expected ones."""
    lines = [line.strip() for line in re.sub(" +", " ", expected).splitlines() if line.strip()]
    pattern = "".join("(.*\n)*" if line == "..." else ".*".join(map(re.escape, line.split("..."))) + "\n"
                      for line in lines)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in got)) is not None


STORIES = sorted(path.stem for path in SESSIONS.glob("*.txt"))
CASES = [(version, story) for version in VERSIONS for story in STORIES if story not in OLD_STORIES]
CASES += [(OLD, story) for story in OLD_STORIES]


@pytest.mark.parametrize(("client", "story"), CASES, indirect=["client"])
def test_a_session_prints_what_a_cluster_prints(client, home, story, tmp_path):
    version, environment = client
    namespace = f"{story}-{version.replace('.', '')}"
    for path in SESSIONS.glob("*.yaml"):
        shutil.copy(path, tmp_path)
    config = yaml.safe_load((home / ".kube/netlab" / f"{LAB}.yaml").read_text())
    config["contexts"][0]["context"]["namespace"] = namespace
    Path(environment["KUBECONFIG"]).write_text(json.dumps(config))
    shown = []
    session = [(f"kubectl create namespace {namespace}", "namespace/NS created", 0),
               *rows((SESSIONS / f"{story}.txt").read_text(), version),
               (f"kubectl delete namespace {namespace} --wait=false", "...", 0)]
    wrong = []
    for command, expected, code in session:
        done = subprocess.run(["timeout", "10", "sh", "-c", command], env=environment, cwd=tmp_path, text=True,
                              capture_output=True, check=False)
        got = masked(done.stdout + done.stderr, namespace)
        shown.append(f"$ {command}\n" + "".join(f"{line}\n" for line in got)
                     + (f"[{done.returncode}]\n" if done.returncode else ""))
        if done.returncode != code or not fits(expected, got):
            wrong.append(f"{shown[-1]}--- expected:\n{expected.strip()}\n[{code}]\n")
    if record := os.environ.get("KUBECTL_RECORD"):
        Path(record, f"{namespace}.txt").write_text("".join(shown[1:-1]))
    assert not wrong, "\n".join(wrong)
