"""What another local user tries to get at a lab: every file, socket, port and procfs path that he finds.

Run as that user; the administrator's token is on stdin, so that it is known when it is found. Prints what was found.
With a directory and a process as arguments it looks at no others.
"""

import contextlib
import ctypes
import os
import socket
import ssl
import sys

TOKEN = sys.stdin.readline().strip().encode()
REQUEST = b"GET /api/v1/namespaces/kube-system/secrets HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n%b\r\n"
PIDFD_OPEN, PIDFD_GETFD, PTRACE_SEIZE = 434, 438, 0x4206
found = []
tried = {"files": 0, "sockets": 0, "ports": 0, "processes": 0}


def look(path):
    with contextlib.suppress(OSError), open(path, "rb") as file:
        tried["files"] += 1
        if TOKEN in file.read(4 * 1024 * 1024):
            found.append(f"the token is in {path}")


def walk(top):
    for place, directories, files in os.walk(top):
        directories[:] = [name for name in directories if not os.path.islink(os.path.join(place, name))]
        for name in files:
            path = os.path.join(place, name)
            if os.path.isfile(path) and not os.path.islink(path):
                look(path)
            elif "netlab" in path or "sock" in path:
                ask_socket(path)


def said(connection, what):
    with contextlib.suppress(OSError, ssl.SSLError):
        connection.settimeout(5)
        connection.sendall(REQUEST % b"")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
        if answer.startswith(b"HTTP/1.1 2"):
            found.append(f"{what} answers {answer[:200]!r}")


def ask_socket(path):
    with socket.socket(socket.AF_UNIX) as made, contextlib.suppress(OSError):
        tried["sockets"] += 1
        made.connect(path)
        said(made, path)


def ask_port(port):
    tried["ports"] += 1
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as made:
        said(made, f"port {port}")
    context = ssl._create_unverified_context()
    with contextlib.suppress(OSError, ssl.SSLError), socket.create_connection(("127.0.0.1", port), 5) as made:
        said(context.wrap_socket(made), f"port {port} by TLS")


def look_at_process(pid):
    tried["processes"] += 1
    for name in ("cmdline", "environ", "maps", "status", "io", "stack"):
        look(f"/proc/{pid}/{name}")
    for name in ("root", "cwd"):
        for inside in ("/run/netlab", "/api", "/kubeconfig", "/access.json", "/state.db"):
            with contextlib.suppress(OSError):
                os.close(os.open(f"/proc/{pid}/{name}{inside}", os.O_RDONLY))
                found.append(f"/proc/{pid}/{name}{inside} can be opened")
    with contextlib.suppress(OSError):
        for descriptor in os.listdir(f"/proc/{pid}/fd"):
            found.append(f"/proc/{pid}/fd/{descriptor} can be seen")
    libc = ctypes.CDLL(None, use_errno=True)
    handle = libc.syscall(PIDFD_OPEN, pid, 0)
    if handle >= 0 and any(libc.syscall(PIDFD_GETFD, handle, number, 0) >= 0 for number in range(64)):
        found.append(f"a descriptor of process {pid} can be had")
    if libc.ptrace(PTRACE_SEIZE, pid, 0, 0) == 0:
        found.append(f"process {pid} can be traced")


for top in sys.argv[1:2] or ("/run", "/tmp", "/var/tmp", "/dev/shm", "/etc/netns", "/root", "/home"):
    walk(top)
if sys.argv[2:]:
    look_at_process(int(sys.argv[2]))
    print("found:", *found, sep="\n", flush=True)
    os._exit(0)  # a tracer that ends lets go
with open("/proc/net/unix") as table:
    for line in table.read().splitlines()[1:]:
        fields = line.split()
        if len(fields) > 7:
            ask_socket("\0" + fields[7][1:] if fields[7].startswith("@") else fields[7])
for name in ("tcp", "tcp6"):
    with contextlib.suppress(OSError), open(f"/proc/net/{name}") as table:
        for fields in (line.split() for line in table.read().splitlines()[1:]):
            if fields[3] == "0A":
                ask_port(int(fields[1].rpartition(":")[2], 16))
for name in os.listdir("/proc"):
    if name.isdigit() and int(name) != os.getpid():
        with contextlib.suppress(OSError):
            if os.stat(f"/proc/{name}").st_uid == 0:
                look_at_process(int(name))
print("found:", *found, sep="\n")
print("tried:", *(f"{kind}={count}" for kind, count in tried.items()))
