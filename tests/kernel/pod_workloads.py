"""Built-in workloads for the tests, loaded by the lab init."""

import os
import sys
import time


def show(args: list[str]) -> int:
    with open("/proc/self/cmdline", "rb") as file:
        print(file.read().rstrip(b"\0").split(b"\0"))
    with open("/proc/self/comm") as file:
        print(file.read().strip())
    print(args, sys.argv, sorted(os.environ.items()), sorted(os.listdir("/proc/self/fd"))[:3])
    with open("/proc/self/status") as file:
        print(next(line for line in file if line.startswith("CapEff")).split()[1])
    return 4


def look_up(args: list[str]) -> int:
    import socket
    print(socket.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)[0][4])
    print(type(socket.getaddrinfo("localhost", 80)).__name__)
    return 0


def linger(args: list[str]) -> int:
    print("ready")
    time.sleep(600)
    return 0


def leave(args: list[str]) -> int:
    sys.exit(int(args[0]))


def fail(args: list[str]) -> int:
    raise ValueError("broken on purpose")
