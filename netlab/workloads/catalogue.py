"""The images that every lab knows: public demo and debug images, and what runs in a lab for each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from netlab.kernel.bin_directory import which as find_program
from netlab.model.images import Catalogue, Directories, Image, parse_images
from netlab.model.lab_spec import LabSpec
from netlab.topology import names
from netlab.workloads.default_pages import (
    APACHE_PAGES,
    APACHE_ROOT,
    HELLO_FRONTEND,
    NGINX_CONF,
    NGINX_PAGES,
    NGINX_ROOT,
    NGINX_SERVER,
)

Which = Callable[[str], str | None]
ECHO = "netlab.workloads.echo:main"
AGNHOST = "netlab.workloads.agnhost:main"
DNS = "netlab.server.dns:main"

BUILTINS = {
    "agnhost": AGNHOST,
    "netexec": "netlab.workloads.netexec:main",
    "serve_hostname": "netlab.workloads.hostnames:main",
    "serve-hostname": "netlab.workloads.hostnames:main",
    "pause": "netlab.workloads.pause:main",
    "http-echo": "netlab.workloads.http_echo:main",
    "netlab-echo": ECHO,
    "coredns": DNS,
}
"""Programs that every image has, whatever it is: a command with one of these last path parts selects the built-in."""

REDIS_BUILTINS = {"redis-server": "netlab.workloads.redis:main", "redis-cli": "netlab.workloads.redis_cli:main"}
"""The same, of the machines that have no such program."""

NGINX_BUILTIN = "netlab.workloads.nginx:main"
NGINX_IMAGES = ("nginx", "nginx-slim", "nginxhttps")  # the last two are those of Kubernetes' own tutorials
LAUNCHERS = {**REDIS_BUILTINS, "nginx": NGINX_BUILTIN, "httpd": "netlab.workloads.httpd:main_busybox",
             "httpd-foreground": "netlab.workloads.httpd:main", "agnhost": AGNHOST,
             "nc": "netlab.workloads.netcat:main", "telnet": "netlab.workloads.netcat:main_telnet"}
"""Programs that shell scripts in pods and nodes find on their PATH where the machine has none of that name."""

PRELOAD = ("netlab.workloads.echo", "netlab.workloads.agnhost", "netlab.workloads.pause", "netlab.workloads.redis",
           "netlab.workloads.redis_cli", "netlab.workloads.interactive", "netlab.workloads.nginx", "netlab.server.dns")
"""Modules that the lab init loads once: what most pods run starts in a fork without importing anything."""

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


def _echo(pattern: str, port: int, program: str = "netlab-echo") -> Image:
    # Ours: it listens on the ports that the container declares.
    return Image(pattern, (program,), (), ECHO, ports=(port,), follows_ports=True)


def _web(pattern: str, port: int, program: str, entry: str, *, directories: Directories = ()) -> Image:
    """An image whose program answers in its own manner: `entry` is MODULE or MODULE:FUNCTION of this package."""
    module, _, function = entry.partition(":")
    return Image(pattern, (program,), (), f"netlab.workloads.{module}:{function or 'main'}", ports=(port,),
                 directories=directories)


def _shell(pattern: str, *command: str) -> Image:
    return Image(pattern, (), command or ("sh",))


def _demos() -> tuple[Image, ...]:
    return (
        _echo("*demo-coffee*", 9090), _echo("*demo-tea*", 9090), _echo("*coffee*", 80), _echo("*tea", 80),
        _echo("netlab/echo", 80), _echo("netlab-echo", 80), _echo("echo", 80), _echo("*hello-world-rest*", 8080),
        _web("nginxdemos/nginx-hello", 8080, "nginx", "echoers:main_nginx_hello"),
        _web("nginxdemos/*", 80, "nginx", "echoers:main_nginx_hello"),
        _web("hello-app", 8080, "hello-app", "greeters:main_hello_app"),
        _web("node-hello", 8080, "node", "greeters:main_node_hello"),
        _web("hello-node", 8080, "node", "greeters:main_node_hello"),
        _web("kubernetes-bootcamp", 8080, "node", "greeters:main_bootcamp"),
        _web("luksa/kubia", 8080, "node", "greeters:main_kubia"),
        _web("hello-go-gke", 80, "hello-go", "greeters:main_hello_go"),
        _web("*network-multitool*", 80, "nginx", "greeters:main_multitool"), _echo("*demo*", 80),
        _web("httpd", 80, "httpd-foreground", "httpd", directories=((APACHE_ROOT, APACHE_PAGES),)),
        _web("http-echo", 5678, "http-echo", "http_echo"), _web("whoami", 80, "whoami", "whoami"),
        _web("echoserver", 8080, "echoserver", "echoers:main_echoserver"),
        _web("kicbase/echo-server", 8080, "echo-server", "echoers:main_kicbase"),
        _web("jmalloc/echo-server", 8080, "echo-server", "echoers:main_kicbase"),
        _web("echo-server", 80, "node", "json_echoers:main_ealen"),
        _web("http-https-echo", 8080, "node", "json_echoers:main_mendhak"),
        _web("httpenv", 8888, "httpenv", "json_echoers:main_httpenv"),
        _web("jpetazzo/color", 80, "color", "json_echoers:main_color"),
        _web("gb-frontend", 80, "apache2-foreground", "gb_frontend"),
        _web("test-webserver", 80, "test-webserver", "httpd:main_test_webserver"),
    )


def _nginx(which: Which) -> tuple[Image, ...]:
    """The machine's nginx where there is one, else the built-in one."""
    pages: Directories = ((NGINX_ROOT, NGINX_PAGES),)

    def configured(port: int) -> Directories:
        return (*pages, (NGINX_CONF, (("default.conf", NGINX_SERVER.format(port=port)),)))

    ours = (_web("nginx-unprivileged", 8080, "nginx", "nginx", directories=configured(8080)),
            Image("hello-frontend", ("nginx",), (), NGINX_BUILTIN, ports=(80,), directories=(
                ("/etc/nginx/conf.d", (("frontend.conf", HELLO_FRONTEND),)),)))
    if which("nginx"):
        return (*ours, *(Image(name, ("sh", "-c", NGINX), ports=(80,), directories=pages) for name in NGINX_IMAGES))
    return (*ours, *(_web(name, 80, "nginx", "nginx", directories=configured(80)) for name in NGINX_IMAGES))


def _redis(which: Which) -> Iterator[Image]:
    """The machine's Redis where there is one, else a small one that knows texts, counters and lists.

    gb-redis-follower and gb-redisslave are those of the guestbook tutorial.
    """
    for name, leader in (("redis", ""), ("gb-redis-follower", "redis-leader"), ("gb-redisslave", "redis-master")):
        args = ("redis-server", *(("--replicaof", leader, "6379") if leader else ()))
        if which("redis-server"):
            yield Image(name, ("sh", "-c", REDIS, "redis"), args)
        else:
            yield Image(name, (), args, REDIS_BUILTINS["redis-server"])


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
        *_demos(), *_nginx(which),
        Image("curl", ("sh", "-c", CURL, "curl"), ("curl",), requires=("curl",)),
        *(_shell(name) for name in ("busybox", "busyboxplus", "alpine", "*dnsutils*", "toolbox", "*debug-tools*")),
        *(_shell(name, "bash") for name in ("debian", "ubuntu", "fedora", "centos", "bash", "netshoot")),
        _shell("python", "python3"), Image("perl", (), ("perl",), requires=("perl",)),
        *_redis(which),
    )


def catalogue(spec: LabSpec, which: Which = find_program) -> Catalogue:
    """The lab's catalogue: what its file adds comes first, then the built-in images. LabError for a wrong addition."""
    builtins = BUILTINS | {name: entry for name, entry in LAUNCHERS.items() if not which(name)}
    return Catalogue(parse_images(spec.images) + builtin_images(spec, which), builtins)
