"""Every command with its operands and flags, as a table; the code behind a row is imported when it is used."""

from __future__ import annotations

from netlab.cli.arguments import Command, Option
from netlab.cli.topics import TOPICS

HELP = Option(("-h", "--help"), "show this text")
NAME = Option(("--name",), "the lab (environment: NETLAB_NAME; default: netlab)", "LAB")
SHARED = (NAME, HELP)

NAMESPACE = Option(("-n", "--namespace"), "the Kubernetes namespace (default: default)", "NAMESPACE")
FILES = Option(("-f", "--filename"), "a manifest file, a directory, or - (stdin); repeatable", "FILE", many=True)
SELECTOR = Option(("-l", "--selector"), "only objects with these labels: a=b,c!=d,e in (f,g),!h", "SELECTOR")
CONTAINER = Option(("-c", "--container"), "the container, when the pod has several", "CONTAINER")
GRACE = Option(("--grace-period",), "seconds that a pod gets to end", "SECONDS", convert=int)


def _command(name: str, help: str, run: str, operands: str = "", *, least: int = 0, most: int | None = 0,
             options: tuple[Option, ...] = (), program: bool = False, details: str = "", raw: bool = False) -> Command:
    return Command(name, help, run, operands, least, most, (*options, *SHARED), program, details, raw)


GROUPS: tuple[tuple[str, tuple[Command, ...]], ...] = (
    ("The lab", (
        _command("up", "Start a lab.", "labs:up", "[LAB.yaml]", most=1, options=(
            Option(("-q", "--quiet"), "print the lab's name only"),
        ), details="""
Without a file the lab has the nodes control-plane, worker and worker2, or the settings that it was started with.
A lab that runs already with the same settings is left as it is. Needs root, and answers when the API and the
cluster's DNS do.
What a file may say: netlab help lab-file
"""),
        _command("down", "Remove a lab and everything in it.", "labs:down", "[LAB]", most=1, options=(
            Option(("--all",), "every lab on this machine"),
        ), details="A lab that is not there is fine."),
        _command("list", "Show the labs on this machine.", "labs:list_labs"),
        _command("stop", "Stop a part of the control plane, such as a node's kube-proxy.", "parts:stop",
                 "PART [NODE...]", least=1, most=None, options=(
            Option(("--cleanup",), "take away the rules that a kube-proxy has made, too"),
        ), details="""
PART is a controller's name as `netlab status` shows it, or kube-proxy or kubelet with nodes (without: of all nodes).
What it has made stays: without kube-proxy the rules go on working, but do not follow the Services any more.

  netlab stop kube-proxy worker
  netlab stop kube-proxy worker --cleanup    # and now they are gone, as after `kube-proxy --cleanup`
"""),
        _command("start", "Start what `stop` has stopped.", "parts:start", "PART [NODE...]", least=1, most=None,
                 details="A kube-proxy that starts repairs its node's rules."),
        _command("status", "Show a lab's nodes and controllers.", "labs:status", options=(
            Option(("-o", "--output"), "json", "FORMAT", choices=("json",)),
        )),
    )),
    ("Objects", (
        _command("apply", "Create objects from files, or change them to what the files say.", "apply:apply",
                 "-f FILE...", options=(FILES, NAMESPACE),
                 details="All documents are checked before any is written."),
        _command("delete", "Delete objects by file, or by kind and name.", "objects:delete", "[KIND NAME...]",
                 most=None, options=(FILES, NAMESPACE, SELECTOR, GRACE,
                    Option(("--all",), "all objects of the kind in the namespace"),
                    Option(("--force",), "with --grace-period=0: do not wait for a pod to end"),
                    Option(("--ignore-not-found",), "an object that is not there is fine"),
                    Option(("--wait",), "wait until the objects are gone (default: true)", default=True),
                 )),
        _command("get", "Show objects.", "get:get", "KIND[,KIND...] [NAME...]", least=1, most=None, options=(
            NAMESPACE, SELECTOR,
            Option(("-A", "--all-namespaces"), "of all namespaces"),
            Option(("-o", "--output"), "wide, yaml, json, name or jsonpath={.path}", "FORMAT"),
            Option(("-w", "--watch"), "go on and show changes"),
            Option(("--no-headers",), "no line of column names"),
            Option(("--show-labels",), "a column of labels"),
        ), details="KIND is a name such as pods, pod, po, or all; KIND/NAME works as well."),
        _command("label", "Set or remove labels of an object.", "objects:label", "KIND NAME KEY=VALUE... KEY-...",
                 least=2, most=None, options=(NAMESPACE, Option(("--overwrite",), "change labels that have a value"))),
        _command("scale", "Set the number of pods of a Deployment, ReplicaSet or StatefulSet.", "objects:scale",
                 "KIND NAME --replicas=NUMBER | KIND/NAME --replicas=NUMBER", least=1, most=2,
                 options=(NAMESPACE, Option(("--replicas",), "the number", "NUMBER", convert=int))),
    )),
    ("kubectl", (
        _command("kubectl", "Run the real kubectl on the lab.", "kubectl:kubectl", "[ARGUMENT...]", raw=True,
                 details="""
Everything after `kubectl` is kubectl's own. The lab is chosen before it: netlab --name LAB kubectl get pods
Who may do what: netlab help access
"""),
        _command("env", "Print how a shell points its own kubectl at the lab.", "kubectl:env", options=(
            Option(("--unset",), "point it away again"),
        ), details="""
  eval "$(netlab env)"              # sets KUBECONFIG
  eval "$(netlab env --unset)"
"""),
    )),
    ("Inside", (
        _command("exec", "Run a program in a node, in the client, or in a pod.", "execute:execute", "[-it] TARGET",
                 least=1, most=1, program=True, options=(
            Option(("-i", "--stdin"), "pass the standard input on"),
            Option(("-t", "--tty"), "with a terminal"),
            CONTAINER, NAMESPACE), details="""
TARGET is a node's name, `client` (a host outside of the cluster), `load-balancer` or a host of the lab's internet
where the lab has them, or [NAMESPACE/]POD.
The exit code is the program's own.

  netlab exec client -- curl -s http://172.18.0.2:30080/
  netlab exec worker -- iptables-save -t nat
  netlab exec -it web -- sh
"""),
        _command("logs", "Show what a pod's container wrote.", "execute:logs", "POD", least=1, most=1, options=(
            NAMESPACE, CONTAINER,
            Option(("-f", "--follow"), "go on until the container ends"),
            Option(("--tail",), "only the last lines", "LINES", convert=int),
            Option(("-p", "--previous"), "of the container's previous run"),
        )),
    )),
    ("Lessons", (
        _command("run", "Play scenarios: each brings up a lab, acts, checks, and takes the lab down.", "run:run",
                 "[SCENARIO...]", most=None, options=(
            Option(("--keep",), "leave the lab up afterwards (one scenario)"),
            Option(("-q", "--quiet"), "one line per scenario"),
            Option(("-v", "--verbose"), "show what programs print, and the manifests' objects"),
            Option(("--check",), "read the files and report mistakes, run nothing"),
        ), details="SCENARIO is a file, or the name of one that netlab ships. Without any: lists those.\n"
                   "The exit code is 1 when a check failed, 2 when a file has mistakes (then nothing was created).\n"
                   "How to write one: netlab help scenario"),
    )),
    ("The machine", (
        _command("images", "Show what runs for which image name.", "images:images", "[IMAGE...]", most=None, details="""
A lab has no container images: an image's name selects what runs. Given names of images, the entry of each is shown.
In the column IMAGE are shell patterns; one without a slash is compared with the last part of a name, tags do not
count. The first entry that fits is taken; those of a lab's file (under images: netlab help lab-file) come first.
PORTS are where it listens; with + where the container's ports say.
"""),
        _command("doctor", "Say whether this machine can run labs, and what it lacks.", "machine:doctor"),
        _command("version", "Show the version.", "machine:version"),
    )),
)

COMMANDS: dict[str, Command] = {command.name: command for _, commands in GROUPS for command in commands}

EXIT_CODES = """Exit codes: 0 done, 1 a check failed, 2 bad usage or input, 3 this machine cannot run it, 4 not found,
5 internal error, 124 time limit, 130 Ctrl-C. `exec` gives the program's own."""


def overview() -> str:
    """The text of `netlab --help`."""
    lines = ["netlab: Kubernetes Service networking on one Linux kernel", "", "Usage: netlab COMMAND [OPTIONS]"]
    for title, commands in GROUPS:
        lines += ["", f"{title}:"] + [f"  {command.name:<9}{command.help}" for command in commands]
    lines += ["", "More to read, by netlab help TOPIC:"] + [f"  {name:<9}{said}" for name, said in TOPICS.items()]
    lines += ["", "Start with: netlab up; netlab run coffee. More of a command: netlab COMMAND --help", "", EXIT_CODES]
    return "\n".join(lines) + "\n"
