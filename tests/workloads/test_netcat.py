"""nc and telnet as tutorials type them, each in a process of its own."""

import contextlib
import socket
import subprocess
import sys
import threading

import pytest

from netlab.workloads import netcat
from netlab.workloads.netcat import Wishes

NC = "import sys; from netlab.workloads.netcat import main; sys.exit(main(sys.argv[1:]))"
TELNET = NC.replace("import main;", "import main_telnet as main;")


def run(code, *args, typed=""):
    done = subprocess.run([sys.executable, "-c", code, *args], input=typed, capture_output=True, text=True, timeout=20,
                          check=False)
    return done.returncode, done.stdout, done.stderr


@contextlib.contextmanager
def echo():
    """A server that sends the first line that it gets back in capitals."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, connection.makefile("rb") as stream:
                        connection.sendall(stream.readline().upper())

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


@pytest.mark.parametrize(("args", "wishes", "words"), [
    (["-zv", "web", "80"], Wishes(scan=True, verbose=True), ["web", "80"]),
    (["web", "80", "-zvw1"], Wishes(scan=True, verbose=True, wait=1.0), ["web", "80"]),
    (["-lk", "-p", "8080", "-e", "cat"], Wishes(listen=True, keep=True, port=8080, command="cat"), []),
    (["-u", "-w", "2", "dns", "53"], Wishes(udp=True, wait=2.0), ["dns", "53"]),
])
def test_options_stand_together_or_apart(args, wishes, words):
    assert netcat.parse(args) == (wishes, words)


@pytest.mark.parametrize("args", [["-w", "soon", "a", "1"], ["web"], [], ["-Q"]])
def test_wrong_options_end_with_the_usage(args, capsys):
    assert netcat.main(args) == 1
    assert "usage: nc" in capsys.readouterr().err


def test_ports_may_be_names_and_ranges():
    assert list(netcat.port_range("80-82", Wishes())) == [80, 81, 82]
    assert list(netcat.port_range("http", Wishes())) == [80]


def test_a_scan_says_which_port_answers(capsys):
    with echo() as port:
        assert netcat.main(["-zv", "-w1", "127.0.0.1", str(port)]) == 0
        assert capsys.readouterr().err.startswith(f"Connection to 127.0.0.1 {port} port [tcp/")
    assert netcat.main(["-zv", "127.0.0.1", str(port)]) == 1
    assert capsys.readouterr().err == f"nc: connect to 127.0.0.1 port {port} (tcp) failed: Connection refused\n"


@pytest.mark.slow
def test_what_is_typed_is_sent_and_the_answer_printed():
    with echo() as port:
        assert run(NC, "127.0.0.1", str(port), typed="hello\n") == (0, "HELLO\n", "")
        code, out, err = run(TELNET, "127.0.0.1", str(port), typed="hello\n")
        assert out == "Trying 127.0.0.1...\nConnected to 127.0.0.1.\nEscape character is '^]'.\nHELLO\n"
        assert (code, err) == (1, "Connection closed by foreign host.\n")


@pytest.mark.slow
def test_it_listens_and_has_a_command_answer():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen([sys.executable, "-c", NC, "-v", "-l", "-p", str(port), "-e", "echo served"],
                          stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr.readline() == f"Listening on 0.0.0.0 {port}\n"
        assert run(NC, "127.0.0.1", str(port))[:2] == (0, "served\n")
        assert server.wait(10) == 0
