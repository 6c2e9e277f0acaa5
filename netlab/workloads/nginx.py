"""The image nginx: static files, its pages and logs, and what conf.d most often says: return, proxy_pass, rewrite."""

from __future__ import annotations

import glob
import os
import re
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from socket import getaddrinfo

from netlab.workloads import nginx_signals
from netlab.workloads.default_pages import NGINX_CONF
from netlab.workloads.identity import environment, identity
from netlab.workloads.nginx_answers import Nginx
from netlab.workloads.nginx_config import Config, read
from netlab.workloads.nginx_pages import version
from netlab.workloads.nginx_proxy import host_port
from netlab.workloads.nginx_syntax import ConfigError
from netlab.workloads.options import options
from netlab.workloads.serving import Server, Wrap, run_until_term

TEMPLATES = "/etc/nginx/templates"


def container_files(pattern: str) -> Iterable[tuple[str, str]]:
    """(name, text) of the container's files that match; those of conf.d that templates make among them."""
    found = {}
    for name in glob.glob(pattern):
        if os.path.isfile(name):
            found[name] = Path(name).read_text(errors="replace")
    if pattern == "/etc/nginx/conf.d/*.conf":
        for name in glob.glob(f"{TEMPLATES}/*.template"):
            made = "/etc/nginx/conf.d/" + os.path.basename(name).removesuffix(".template")
            found[made] = substitute(Path(name).read_text(errors="replace"), environment())
    return sorted(found.items())


def substitute(text: str, env: dict[str, str]) -> str:
    """A template with the variables that the environment has; nginx's own stay."""
    return re.sub(r"\$\{(\w+)\}|\$(\w+)", lambda match: env.get(match[1] or match[2], match[0]), text)


def main(args: list[str]) -> int:
    """Runs `nginx [-g DIRECTIVES] [-c FILE] [-t] [-v] [-s SIGNAL]` in the foreground; 1 for a wrong configuration."""
    chosen = options(args, {"default-port": "80", "t": "false", "v": "false", "V": "false", "g": "", "c": "", "s": "",
                            "T": "false"})
    me = identity()
    if chosen.flag("v") or chosen.flag("V"):
        print(f"nginx version: nginx/{version(me.tag)}", file=sys.stderr, flush=True)
        return 0
    config = configured(int(chosen["default-port"]))
    if config is None:
        return 1
    if chosen["s"]:
        return nginx_signals.send(chosen["s"])
    if chosen.flag("t"):
        print("nginx: the configuration file /etc/nginx/nginx.conf syntax is ok\n"
              "nginx: configuration file /etc/nginx/nginx.conf test is successful", file=sys.stderr, flush=True)
        return 0
    server = Server()
    nginx = Nginx(config, me)
    if not _listen(server, nginx, config):
        return 1

    def reload() -> None:
        found = configured(int(chosen["default-port"]))
        if found is not None and _listen(server, nginx, found):
            nginx.config = found

    moment = time.strftime("%Y/%m/%d %H:%M:%S")
    with nginx_signals.obeyed(server, reload):
        return run_until_term(server, f"{moment} [notice] 1#1: nginx/{nginx.version}\n"
                                      f"{moment} [notice] 1#1: start worker processes")


def configured(port: int) -> Config | None:
    """The container's configuration, None when it is wrong; what is wrong, or has no effect, is said.

    `port` is where the image listens when nobody says anything.
    """
    try:
        config = read(container_files)
        if not list(container_files(f"{NGINX_CONF}/*.conf")):
            config = _on_port(config, port)
        _resolve(config)
    except ConfigError as error:
        print(f"nginx: [emerg] {error}", file=sys.stderr, flush=True)
        return None
    for warning in config.warnings:
        print(f"nginx: [warn] {warning}", file=sys.stderr, flush=True)
    return config


def _listen(server: Server, nginx: Nginx, config: Config) -> bool:
    """Whether the server listens on all the configuration's ports now; those that are left over stay open."""
    for port in dict.fromkeys(port for one in config.servers for port, _, _ in one.listen):
        if port in server.ports():
            continue
        try:
            server.http(port, nginx.answer, tls=_tls(config, port))
        except OSError as error:
            code = f"{error.errno}: {error.strerror}"
            print(f"nginx: [emerg] bind() to 0.0.0.0:{port} failed ({code})", file=sys.stderr, flush=True)
            return False
    return True


def _on_port(config: Config, port: int) -> Config:
    return replace(config, servers=tuple(
        replace(one, listen=tuple((port if number == 80 else number, default, tls)
                                  for number, default, tls in one.listen)) for one in config.servers))


def _resolve(config: Config) -> None:
    for authority, place in config.proxied:
        host, _ = host_port(authority, 80)
        try:
            getaddrinfo(host, 80)
        except OSError:
            raise ConfigError(f'host not found in upstream "{host}" in {place}') from None


def _tls(config: Config, port: int) -> Wrap | None:
    for one in config.servers:
        if any(number == port and tls for number, _, tls in one.listen):
            if not one.certificate:
                raise ConfigError('no "ssl_certificate" is defined for the "listen ... ssl" directive')
            from netlab.workloads.certificates import server_side

            return server_side(one.certificate, one.key)
    return None

