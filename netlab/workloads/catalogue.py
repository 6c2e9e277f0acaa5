"""The images that every lab knows: public demo and debug images, and what runs in a lab for each of them."""

from __future__ import annotations

from collections.abc import Callable

from netlab.kernel.bin_directory import which as find_program
from netlab.model.images import Catalogue, Image, parse_images
from netlab.model.lab_spec import LabSpec
from netlab.topology import names

Which = Callable[[str], str | None]
ECHO = "netlab.workloads.echo:main"
AGNHOST = "netlab.workloads.agnhost:main"
DNS = "netlab.server.dns:main"

BUILTINS = {
    "agnhost": AGNHOST,
    "netexec": "netlab.workloads.netexec:main",
    "serve_hostname": "netlab.workloads.agnhost:serve_hostname",
    "serve-hostname": "netlab.workloads.agnhost:serve_hostname",
    "pause": "netlab.workloads.pause:main",
    "http-echo": ECHO,
    "netlab-echo": ECHO,
    "coredns": DNS,
}
"""Programs that every image has, whatever it is: a command with one of these last path parts selects the built-in."""

REDIS_BUILTINS = {"redis-server": "netlab.workloads.redis:main", "redis-cli": "netlab.workloads.redis_cli:main"}
"""The same, of the machines that have no such program."""

PRELOAD = ("netlab.workloads.echo", "netlab.workloads.agnhost", "netlab.workloads.pause", "netlab.workloads.redis",
           "netlab.workloads.redis_cli", "netlab.workloads.interactive", "netlab.server.dns")
"""Modules that the lab init loads once, so that built-ins start in a fork without importing anything."""

# curlimages/curl: a first word that is no program is an argument of curl.
CURL = """if [ "${1#-}" != "$1" ] || ! command -v "$1" >/dev/null 2>&1; then set -- curl "$@"; fi; exec "$@\""""

# The image's entrypoint puts the server before options, and its working directory is writable.
REDIS = """case "$1" in -*|*.conf) set -- redis-server "$@";; esac
[ "$1" != redis-server ] || set -- "$@" --bind 0.0.0.0 --protected-mode no --save '' --dir /tmp; exec "$@\""""


# The machine's nginx with the image's manner: its pages, servers of /etc/nginx/conf.d, logs to the container's output.
# What a program usually keeps below /var is in /tmp: a pod does not have the machine's /var.
NGINX = r"""mkdir -p /tmp/nginx; set -- /etc/nginx/conf.d/*.conf
if [ -e "$1" ]; then servers='include /etc/nginx/conf.d/*.conf;'
else servers='server { listen 80; root /usr/share/nginx/html; index index.html index.htm; }'; fi
cat >/tmp/nginx/nginx.conf <<END
pid /tmp/nginx/pid; error_log stderr notice; events { }
http { include /etc/nginx/mime.types; default_type application/octet-stream; access_log /dev/stdout;
client_body_temp_path /tmp/nginx/body; proxy_temp_path /tmp/nginx/proxy; fastcgi_temp_path /tmp/nginx/fastcgi;
uwsgi_temp_path /tmp/nginx/uwsgi; scgi_temp_path /tmp/nginx/scgi; $servers }
END
exec nginx -e stderr -c /tmp/nginx/nginx.conf -g 'daemon off;'"""


def _echo(pattern: str, port: int, manner: str = "", program: str = "netlab-echo", *options: str) -> Image:
    # `manner` decides what the answer looks like: as that of the program that the image contains upstream.
    arguments = (*((f"--manner={manner}",) if manner else ()), *options)
    return Image(pattern, (program, *arguments), (), ECHO, ports=(port,), follows_ports=not manner)


def _shell(pattern: str, *command: str) -> Image:
    return Image(pattern, (), command or ("sh",))


def _demos() -> tuple[Image, ...]:
    return (
        _echo("*demo-coffee*", 9090), _echo("*coffee*", 80), _echo("*tea", 80), _echo("netlab/echo", 80),
        _echo("netlab-echo", 80), _echo("echo", 80), _echo("*hello-world-rest*", 8080),
        _echo("nginxdemos/nginx-hello", 8080, "nginx-hello", "nginx"),
        _echo("nginxdemos/*", 80, "nginx-hello", "nginx"), _echo("*demo*", 80),
        _echo("nginx-unprivileged", 8080, "nginx", "nginx", "--root=/usr/share/nginx/html"),
        _echo("httpd", 80, "httpd", "httpd-foreground", "--root=/usr/local/apache2/htdocs"),
        _echo("http-echo", 5678, "http-echo", "http-echo"), _echo("whoami", 80, "whoami", "whoami"),
        _echo("hello-app", 8080, "hello-app", "hello-app", "--port-from=PORT"),
        _echo("echoserver", 8080, "echoserver", "echoserver", "--port-from=PORT"),
        _echo("node-hello", 8080), _echo("kicbase/echo-server", 8080, "", "echo-server", "--port-from=PORT"),
        _echo("echo-server", 80, "", "echo-server", "--port-from=PORT"),
        _echo("*network-multitool*", 80, "nginx", "nginx", "--port-from=HTTP_PORT"),
    )


def _nginx(which: Which) -> Image:
    """The machine's nginx where there is one, else the echo server, which answers in nginx's manner."""
    if which("nginx"):
        return Image("nginx", ("sh", "-c", NGINX), ports=(80,))
    return _echo("nginx", 80, "nginx", "nginx", "--root=/usr/share/nginx/html")


def _redis(which: Which) -> Image:
    """The machine's Redis where there is one, else a small one that knows texts, counters and lists."""
    if which("redis-server"):
        return Image("redis", ("sh", "-c", REDIS, "redis"), ("redis-server",))
    return Image("redis", (), ("redis-server",), REDIS_BUILTINS["redis-server"])


def builtin_images(spec: LabSpec, which: Which = find_program) -> tuple[Image, ...]:
    """The images that need nothing from a lab file; `which` finds programs of the machine.

    DNS servers see the lab's read-only API socket at /run/netlab/view.
    """
    view = str(names.view_socket(spec.name).parent)
    return (
        Image("agnhost", ("/agnhost",), ("pause",), AGNHOST),
        Image("serve_hostname", ("/serve_hostname",), (), BUILTINS["serve_hostname"]),
        Image("netexec", ("/netexec",), (), BUILTINS["netexec"]),
        Image("pause", ("/pause",), (), BUILTINS["pause"]),
        Image("coredns", ("/coredns",), (), DNS, mounts=((view, "/run/netlab/view"),)),
        *_demos(), _nginx(which),
        Image("curl", ("sh", "-c", CURL, "curl"), ("curl",), requires=("curl",)),
        *(_shell(name) for name in ("busybox", "alpine", "*dnsutils*", "toolbox", "*debug-tools*")),
        *(_shell(name, "bash") for name in ("debian", "ubuntu", "fedora", "centos", "bash", "netshoot")),
        _shell("python", "python3"),
        _redis(which),
    )


def catalogue(spec: LabSpec, which: Which = find_program) -> Catalogue:
    """The lab's catalogue: what its file adds comes first, then the built-in images. LabError for a wrong addition."""
    builtins = BUILTINS | {name: entry for name, entry in REDIS_BUILTINS.items() if not which(name)}
    return Catalogue(parse_images(spec.images) + builtin_images(spec, which), builtins)
