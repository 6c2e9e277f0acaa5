"""Rounds of: a lab, kill -9 of one of its processes at a random moment, perhaps `up` again, `down`. For a pretend host.

    python kill_rounds.py ROUNDS SEED

Ends with 1 and says what happened when a `down` fails, an `up` does not heal, or anything is left.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import leaks

ROOT = Path(__file__).resolve().parents[2]
LAB = "kill"
MANIFESTS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - {name: web, image: registry.k8s.io/e2e-test-images/agnhost:2.53, args: [netexec]}
        - {name: side, image: busybox, command: [sh, -c, "sleep 1000 & setsid sleep 1000 & wait"]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
"""


class Failure(Exception):
    """A round went wrong."""


def start(*arguments):
    """A netlab command as a child process in a session of its own."""
    return subprocess.Popen([sys.executable, "-P", "-m", "netlab", *arguments], cwd="/", start_new_session=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            env=os.environ | {"PYTHONPATH": str(ROOT), "NETLAB_NAME": LAB})


def must(*arguments, why, limit=60):
    """The output of a netlab command, which succeeds."""
    process = start(*arguments)
    try:
        output = process.communicate(timeout=limit)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        raise Failure(f"{why}: netlab {' '.join(arguments)} hangs:\n{process.communicate()[0]}") from None
    if process.returncode:
        raise Failure(f"{why}: netlab {' '.join(arguments)} gave {process.returncode}:\n{output}\n{logs()}")
    return output


def logs():
    """The ends of the daemon's and the lab init's logs."""
    found = ""
    for name in ("daemon.log", "init.log"):
        path = Path("/run/netlab") / LAB / name
        if path.exists():
            found += f"--- {name}\n" + "".join(path.read_text().splitlines(True)[-15:])
    return found


def victims():
    """The pids of all processes of the lab by kind. In a pretend host everything below PID 1 but this one is."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            deep = Path(f"/proc/{pid}/status").read_text().partition("NSpid:")[2].partition("\n")[0].split()
        except OSError:
            continue
        if pid in ("1", str(os.getpid())) or state in "ZX":
            continue
        if "netlab.lab.daemon" in command:
            kind = "daemon"
        elif "lab init" in command or "lab_init" in command:
            kind = "lab init"
        elif "pod init" in command:
            kind = "pod init"
        elif len(deep) > 2:
            kind = "workload"
        elif "-m netlab" in command:
            kind = "command"
        else:
            kind = "helper"
        found.setdefault(kind, []).append(int(pid))
    return found


def kill(chance):
    """Kills one to three random processes, one after the other; gives their kinds."""
    killed = [kill_one(chance)]
    while len(killed) < 3 and chance.random() < 0.3:
        pause(chance, 0.05)
        killed.append(kill_one(chance))
    return " and ".join(killed)


def kill_one(chance):
    """Kills a random process; gives its kind. All kinds are equally likely, however many there are of each."""
    found = victims()
    if not found:
        return "nobody"
    kind = chance.choice(sorted(found))
    try:
        os.kill(chance.choice(found[kind]), signal.SIGKILL)
    except ProcessLookupError:
        return f"{kind} (gone)"
    return kind


def pause(chance, longest):
    """The moment is the case: not a wait for anything."""
    time.sleep(chance.uniform(0.0, longest))


def during_up(chance):
    """up, killed at a moment of it."""
    up = start("up")
    pause(chance, 0.5)
    return up, kill(chance)


def with_pods(chance):
    """A lab with pods and Services, at a moment while they start."""
    must("up", why="at first")
    apply = start("apply", "-f", "/tmp/web.yaml")
    pause(chance, 0.6)
    return apply, kill(chance)


def during_run(chance):
    """A scenario."""
    run = start("run", "coffee")
    pause(chance, 1.2)
    return run, kill(chance)


def during_down(chance):
    """down, in the middle."""
    must("up", why="at first")
    must("apply", "-f", "/tmp/web.yaml", why="at first")
    pause(chance, 0.4)
    down = start("down")
    pause(chance, 0.15)
    return down, kill(chance)


def heals(chance):
    """`up` again makes everything work: DNS answers, and a Service of three pods."""
    up = start("up")
    output = up.communicate(timeout=60)[0]
    if up.returncode == 2 and "other settings" in output:
        return "not healed: of the scenario"
    if up.returncode:
        raise Failure(f"up again gave {up.returncode}:\n{output}\n{logs()}")
    must("apply", "-f", "/tmp/web.yaml", why="up again")
    end = time.monotonic() + 20
    while True:
        ask = start("exec", "worker", "--", "curl", "-sS", "-m", "1", f"http://{address()}/hostname")
        answer = ask.communicate(timeout=60)[0]
        ready = must("get", "deployments", "-A", why="up again")
        if ask.returncode == 0 and answer.startswith("web-") and "3/3" in ready and "2/2" in ready:
            break
        if time.monotonic() > end:
            raise Failure(f"after up again: {answer}\n{ready}\n{must('get', 'pods', '-A', why='')}"
                          f"{must('get', 'events', '-A', why='')}\n{must('status', why='')}\n{logs()}")
        time.sleep(0.05)
    must("exec", "worker2", "--", "dig", "+time=1", "+tries=2", "@10.96.0.10", "web.default.svc.cluster.local",
         why="up again")
    return "healed"


def address():
    """The ClusterIP of the Service."""
    text = must("get", "service", "web", "-o", "json", why="up again")
    return text.partition('"clusterIP": "')[2].partition('"')[0]


def main(rounds, seed):
    """Plays them; gives the exit code."""
    chance = random.Random(seed)
    Path("/tmp/web.yaml").write_text(MANIFESTS)
    must("up", why="warm-up")
    must("down", why="warm-up")
    before = leaks.snapshot()
    for number in range(rounds):
        phase = chance.choice([during_up, with_pods, during_run, during_down])
        facts = [phase.__name__]
        try:
            process, killed = phase(chance)
            facts.append(f"killed {killed}")
            waits, heal = chance.random() < 0.5, chance.random() < 0.5
            if waits or (heal and phase is during_run):  # at its end it takes the lab down, healed or not
                process.communicate(timeout=60)
                facts.append(f"it gave {process.returncode}")
            if heal:
                facts.append(heals(chance))
            must("down", why="at the end")
            process.communicate(timeout=60)
            if process.returncode == 0 and phase is not during_down:  # it came up after that `down`
                must("down", why="again")
            end = time.monotonic() + 5
            while (found := leaks.left(before, leaks.snapshot())) and time.monotonic() < end:
                time.sleep(0.02)
            if found:
                raise Failure("left:\n" + "\n".join(found))
        except (Failure, subprocess.TimeoutExpired) as error:
            print(f"round {number} of seed {seed}: {', '.join(facts)}: {error}")
            return 1
        print(f"round {number}: {', '.join(facts)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2]))
