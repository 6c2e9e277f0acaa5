import pytest

from netlab.model.errors import LabError
from netlab.model.images import Image, MissingImage, forms, parse_images, repository, tag
from netlab.model.lab_spec import LabSpec
from netlab.workloads.catalogue import catalogue

ALL = {"sh", "curl", "bash"}


def launch(image, command=(), args=(), ports=(), programs=frozenset(ALL), extra=()):
    found = catalogue(LabSpec(images=tuple(extra)), lambda program: None)
    return found.launch(image, command=command, args=args, ports=ports,
                        which=lambda name: f"/bin/{name}" if name in programs else None)


@pytest.mark.parametrize(("name", "whole"), [
    ("nginx", "nginx"), ("nginx:1.25", "nginx"), ("localhost:5000/a/b", "localhost:5000/a/b"),
    ("ghcr.io/a/web:1@sha256:abc", "ghcr.io/a/web"),
])
def test_tag_and_digest_are_no_part_of_the_repository(name, whole):
    assert repository(name) == whole


@pytest.mark.parametrize(("name", "found"), [
    ("nginx", "latest"), ("a/hello-app:2.0", "2.0"), ("localhost:5000/a", "latest"), ("a:1@sha256:abc", "1"),
])
def test_the_tag_of_a_name(name, found):
    assert tag(name) == found


def test_patterns_are_compared_with_the_forms_of_a_name():
    assert forms("docker.io/library/nginx:1") == ("docker.io/library/nginx", "nginx")
    assert forms("registry.k8s.io/e2e-test-images/agnhost:2.39") == \
        ("registry.k8s.io/e2e-test-images/agnhost", "e2e-test-images/agnhost", "agnhost")


ECHO, AGNHOST = "netlab.workloads.echo:main", "netlab.workloads.agnhost:main"


@pytest.mark.parametrize(("image", "entry", "argv"), [
    ("nginx:1.25", "netlab.workloads.nginx:main", ("nginx", "--default-port=80")),
    ("registry.k8s.io/nginx-slim:0.24", "netlab.workloads.nginx:main", ("nginx", "--default-port=80")),
    ("bprashanth/nginxhttps:1.0", "netlab.workloads.nginx:main", ("nginx", "--default-port=80")),
    ("nginxinc/nginx-unprivileged", "netlab.workloads.nginx:main", ("nginx", "--default-port=8080")),
    ("docker.io/library/httpd", "netlab.workloads.httpd:main", ("httpd-foreground", "--default-port=80")),
    ("redis:alpine", "netlab.workloads.redis:main", ("redis-server",)),
    ("hashicorp/http-echo", "netlab.workloads.http_echo:main", ("http-echo", "--default-port=5678")),
    ("traefik/whoami", "netlab.workloads.whoami:main", ("whoami", "--default-port=80")),
    ("gcr.io/google-samples/hello-app:1.0", "netlab.workloads.greeters:main_hello_app",
     ("hello-app", "--default-port=8080")),
    ("k8s.gcr.io/echoserver:1.10", "netlab.workloads.echoers:main_echoserver", ("echoserver", "--default-port=8080")),
    ("kicbase/echo-server:1.0", "netlab.workloads.echoers:main_kicbase", ("echo-server", "--default-port=8080")),
    ("ealen/echo-server", "netlab.workloads.json_echoers:main_ealen", ("node", "--default-port=80")),
    ("gcr.io/google-samples/kubernetes-bootcamp:v1", "netlab.workloads.greeters:main_bootcamp",
     ("node", "--default-port=8080")),
    ("nginxdemos/hello:plain-text", "netlab.workloads.echoers:main_nginx_hello", ("nginx", "--default-port=80")),
    ("gcr.io/google-samples/hello-frontend:1.0", "netlab.workloads.nginx:main", ("nginx", "--default-port=80")),
    ("somebody/demo-coffee:2.0", ECHO, ("netlab-echo", "--default-port=9090")),
    ("coffee", ECHO, ("netlab-echo", "--default-port=80")),
    ("registry.k8s.io/e2e-test-images/agnhost:2.39", AGNHOST, ("/agnhost", "pause")),
    ("registry.k8s.io/pause:3.9", "netlab.workloads.pause:main", ("/pause",)),
    ("registry.k8s.io/coredns/coredns:v1.12.0", "netlab.server.dns:main", ("/coredns",)),
    ("radial/busyboxplus:curl", "", ("sh",)),
    ("busybox", "", ("sh",)), ("nicolaka/netshoot", "", ("bash",)), ("python:3", "", ("python3",)),
])
def test_what_runs_for_an_image_without_a_command(image, entry, argv):
    found = launch(image)
    assert (found.entry, found.argv) == (entry, argv)


@pytest.mark.parametrize(("image", "command", "args", "entry", "argv"), [
    ("agnhost", (), ("netexec", "--http-port=80"), AGNHOST, ("/agnhost", "netexec", "--http-port=80")),
    ("busybox", ("/agnhost", "netexec"), (), AGNHOST, ("/agnhost", "netexec")),
    ("agnhost", ("sh", "-c", "sleep 1"), (), "", ("sh", "-c", "sleep 1")),
    ("nginx", ("sleep", "9"), (), "", ("sleep", "9")),
    ("nginx", ("nginx", "-g", "daemon off;"), (), "netlab.workloads.nginx:main",
     ("nginx", "--default-port=80", "-g", "daemon off;")),
    ("busybox", ("httpd", "-f"), (), "netlab.workloads.httpd:main_busybox", ("httpd", "-f")),
    ("busybox", (), ("sleep", "9"), "", ("sleep", "9")), ("busybox", ("sleep",), ("9",), "", ("sleep", "9")),
    ("hashicorp/http-echo", (), ("-text=hi",), "netlab.workloads.http_echo:main", None),
    ("traefik/whoami", ("/whoami",), (), "netlab.workloads.whoami:main", ("/whoami", "--default-port=80")),
    ("redis", (), ("--port", "7"), "netlab.workloads.redis:main", ("redis-server", "--port", "7")),
    ("redis", (), ("redis-cli", "-h", "a"), "netlab.workloads.redis_cli:main", ("redis-cli", "-h", "a")),
    ("redis", (), ("sleep", "9"), "", ("sleep", "9")),
    ("busybox", ("whoami",), (), "", ("whoami",)), ("busybox", ("echo", "hi"), (), "", ("echo", "hi")),
])
def test_command_and_args_override_as_in_kubernetes(image, command, args, entry, argv):
    found = launch(image, command, args)
    assert found.entry == entry
    assert argv is None or found.argv == argv


def test_an_echo_server_listens_on_the_declared_ports_where_its_image_is_ours():
    assert launch("coffee", ports=(9090, 9091)).argv == ("netlab-echo", "--default-port=9090", "--default-port=9091")
    assert launch("nginx", ports=(9090,)).argv[1] == "--default-port=80"


@pytest.mark.parametrize(("image", "programs", "text"), [
    ("mysql:8", ALL, r"no entry of the image catalogue matches 'mysql'.*images: \[\{name: mysql"),
    ("curlimages/curl", {"sh"}, "'curl'"),
    ("perl:5", {"sh"}, "'perl'"),
])
def test_an_image_that_cannot_be_had_says_what_to_do(image, programs, text):
    with pytest.raises(MissingImage, match=text):
        launch(image, programs=programs)


def test_images_of_the_lab_file_come_first():
    extra = [{"name": "nginx", "command": ["sleep"], "args": [5]}, {"name": "my*", "entry": "a.b:c", "ports": [80]}]
    assert launch("nginx:1", extra=extra).argv == ("sleep", "5")
    assert launch("mysql", extra=extra).entry == "a.b:c"


@pytest.mark.parametrize(("items", "text"), [
    ("x", 'spec.images: Invalid value: "x": must be a list'),
    (["x"], 'spec.images[0]: Invalid value: "x": must be a mapping with name and command'),
    ([{"command": ["a"]}], "spec.images[0].name: Required value"),
    ([{"name": "a"}], "spec.images[0].command: Required value: what runs for this image"),
    ([{"name": "a", "command": "sleep 1"}],
     'spec.images[0].command: Invalid value: "sleep 1": must be a list of strings'),
    ([{"name": "a", "entry": "no"}], 'spec.images[0].entry: Invalid value: "no": must be package.module:function'),
    ([{"name": "a", "command": ["b"], "ports": [0]}],
     "spec.images[0].ports: Invalid value: [0]: must be a list of numbers between 1 and 65535"),
    ([{"name": "a", "command": ["b"], "mounts": {"x": "/y"}}],
     'spec.images[0].mounts: Invalid value: {"x":"/y"}: paths must be absolute'),
    ([{"name": "a", "command": ["b"], "comand": 1}], 'spec.images[0].comand: unknown field "comand", did '
     'you mean "command"?'),
])
def test_a_wrong_addition_is_refused_with_its_path(items, text):
    with pytest.raises(LabError) as refusal:
        parse_images(items)
    assert refusal.value.message == text


def test_parsed_images_are_values():
    assert parse_images([{"name": "a", "command": ["b"]}]) == (Image("a", ("b",)),)


def test_nginx_is_the_machines_where_there_is_one_and_answers_in_its_manner_elsewhere():
    there = catalogue(LabSpec(), lambda program: f"/usr/sbin/{program}")
    absent = catalogue(LabSpec(), lambda program: None)
    assert there.find("nginx:1.27").command[0] == "sh"
    assert not there.find("nginx:1.27").entry
    assert absent.find("nginx:1.27").entry == "netlab.workloads.nginx:main"
