import os
import subprocess
import sys

import pytest

from netlab.cli.commands import COMMANDS
from netlab.cli.main import main

HEAVY = ("asyncio", "yaml", "iptc", "pyroute2", "ssl", "argparse", "subprocess", "logging", "netlab.lab",
         "netlab.store", "netlab.api")


@pytest.mark.parametrize("given", [["--help"], ["help"], ["get", "--help"], ["help", "get"], ["version"]])
def test_help_and_version_are_fine(capsys, given):
    assert main(given) == 0
    assert capsys.readouterr().out


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help_and_code(capsys, name):
    from importlib import import_module

    assert main([name, "--help"]) == 0
    assert capsys.readouterr().out.startswith(COMMANDS[name].help)
    module, _, function = COMMANDS[name].run.partition(":")
    assert callable(getattr(import_module(f"netlab.cli.{module}"), function))


@pytest.mark.parametrize(("given", "words"), [
    ([], "Usage: netlab COMMAND"),
    (["gte"], 'error: unknown command "gte" (did you mean "get"?)\ntry: netlab --help\n'),
    (["--bogus"], "error: unknown flag: --bogus\n"),
    (["scale", "deploy", "web"], "The --replicas=COUNT flag is required"),
    (["exec", "worker"], "put it after --"),
    (["apply"], "-f FILE is required"),
    (["run", "coffe", "--check"], 'there is no scenario "coffe"'),
    (["up", "-f", "lab.yaml"], "error: unknown shorthand flag: -f: netlab up [LAB.yaml]\n"),
    (["up", "shop"], "error: shop: No such file or directory\ntry: netlab up --name shop, or a lab file\n"),
    (["exec", "worker", "ls"], "error: unexpected operand 'ls': netlab exec [-it] TARGET -- PROGRAM\n"),
])
def test_bad_usage_is_said_on_stderr(capsys, given, words):
    assert main(given) in (2, 4)
    out, err = capsys.readouterr()
    assert words in err
    assert out == ""


def test_a_lab_that_does_not_run_is_exit_code_4(capsys, monkeypatch, tmp_path):
    from netlab.topology import names

    monkeypatch.setattr(names, "RUN", tmp_path)
    assert main(["get", "pods", "--name", "absent"]) == 4
    assert capsys.readouterr().err == 'error: no lab named "absent" is running\ntry: netlab up --name absent\n'


def _fresh(code: str, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=20,
                          env=os.environ | {"PYTHONPATH": os.getcwd()})


@pytest.mark.parametrize("line", ["--help", "get --help", "get pods", "get pods -o json", "label pod web a=b",
                                  "delete pod web", "logs web"])
def test_a_command_that_talks_to_the_daemon_imports_little(server, line):
    server.answer("POST", "/api/v1/namespaces/default/pods", {"kind": "Pod", "metadata": {"name": "web"}}, "")
    code = ("import sys\nfrom pathlib import Path\nfrom netlab.topology import names\n"
            f"names.RUN = Path({str(_run_directory())!r})\n"
            "from netlab.cli.main import main\ncode = main(sys.argv[1:])\n"
            f"print(code, *sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)")
    done = _fresh(code, *line.split())
    assert done.stderr == "0\n", done.stdout


def _run_directory() -> object:
    from netlab.topology import names

    return names.RUN


def test_a_reader_that_leaves_is_no_traceback():
    code = "from netlab.cli.main import main; import os; os.close(0); raise SystemExit(main(['--help']))"
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, text=True, timeout=20,
                          env=os.environ | {"PYTHONPATH": os.getcwd()})
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_ctrl_c_is_130_without_a_traceback(monkeypatch, capsys):
    from netlab.cli import machine

    def stop(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(machine, "version", stop)
    assert main(["version"]) == 130
    assert capsys.readouterr().err == ""
