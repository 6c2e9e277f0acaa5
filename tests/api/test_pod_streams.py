"""What exec, attach, portforward and proxy requests lead to, without a socket."""

import json

import pytest

from netlab.api.handlers import Api
from netlab.api.request import Request
from netlab.api.response import ProxyRequest, Response, StreamRequest
from tests.api.objects import pod, registry, service

PODS = "/api/v1/namespaces/default/pods"
RUNNING = {"state": {"running": {}}, "ready": True, "image": "x", "imageID": "x", "restartCount": 0}


@pytest.fixture
def api():
    api = Api(registry())
    api.registry.create("nodes", {"metadata": {"name": "worker"}, "status": {
        "addresses": [{"type": "InternalIP", "address": "172.18.0.3"}]}})
    add(api, "web", containers=[{"name": "c", "image": "x", "ports": [{"containerPort": 8080}]}])
    add(api, "two", containers=[{"name": "a", "image": "x"}, {"name": "b", "image": "x", "tty": True}], ip="10.244.1.3")
    add(api, "slow", phase="Pending", ip="")
    api.registry.create("pods", pod("unbound"))
    return api


def add(api, name, *, phase="Running", ip="10.244.1.2", containers=({"name": "c", "image": "x"},)):
    made = api.registry.create("pods", pod(name, nodeName="worker", containers=list(containers)))
    statuses = [{"name": c["name"]} | (RUNNING if phase == "Running" else {"state": {"waiting": {}}} | {
        "ready": False, "image": "x", "imageID": "", "restartCount": 0}) for c in containers]
    status = {"phase": phase, "containerStatuses": statuses} | ({"podIP": ip, "podIPs": [{"ip": ip}]} if ip else {})
    api.registry.update("pods", made | {"status": status}, subresource="status")


def ask(api, target, method="GET", *, read_only=False, **headers):
    return api.handle(Request.from_target(method, target, headers, read_only=read_only))


def test_exec_names_the_program_in_the_order_of_the_query(api):
    wanted = ask(api, f"{PODS}/web/exec?command=sh&command=-c&command=echo+out&stdout=true&stderr=True&stdin=false",
                 "POST")
    uid = api.registry.get("pods", "web", "default")["metadata"]["uid"]
    assert wanted == StreamRequest("exec", "default", "web", uid, container="c", command=("sh", "-c", "echo out"),
                                   stdout=True, stderr=True)


@pytest.mark.parametrize(("target", "code", "text"), [
    ("none/exec?command=ls&stdout=1", 404, 'pods "none" not found'),
    ("two/exec?command=ls&stdout=1", 400, "a container name must be specified for pod two, choose one of: [a b]"),
    ("web/exec?command=ls&stdout=1&container=x", 400, "container x is not valid for pod web"),
    ("unbound/exec?command=ls&stdout=1", 400, "pod unbound does not have a host assigned"),
    ("unbound/portforward", 400, "pod unbound does not have a host assigned"),
    ("web/exec?command=ls", 400, "you must specify at least 1 of stdin, stdout, stderr"),
    ("web/exec?stdout=1", 400, "you must specify at least one command for the container"),
    ("slow/exec?command=ls&stdout=1", 500, 'container not found ("c")'),
    ("slow/attach?stdout=1", 500, "container c not found in pod slow_default"),
    ("slow/portforward", 500, 'pod not found ("slow_default")'),
    ("web/portforward?ports=80,x", 400, 'query parameter "ports": "80,x": must be port numbers'),
    ("web/portforward?ports=70000", 400, 'query parameter "ports": "70000": must be port numbers'),
])
def test_refusals_before_the_upgrade(api, target, code, text):
    answer = ask(api, f"{PODS}/{target}")
    said = json.loads(answer.body)["message"] if answer.content_type == "application/json" else answer.body.decode()
    assert (answer.code, said) == (code, text)


def test_attach_takes_the_terminal_from_the_container_and_has_no_stderr_then(api):
    wanted = ask(api, f"{PODS}/two/attach?container=b&stdin=true&stdout=true&stderr=true")
    assert (wanted.tty, wanted.stderr, wanted.stdin, wanted.command) == (True, False, True, ())


def test_ports_of_a_forward_may_be_a_list_or_repeated_or_absent(api):
    assert ask(api, f"{PODS}/web/portforward").ports == ()
    assert ask(api, f"{PODS}/web/portforward?ports=80,81&ports=82").ports == (80, 81, 82)


@pytest.mark.parametrize("target", [
    f"{PODS}/web/exec?command=ls&stdout=1", f"{PODS}/web/attach?stdout=1", f"{PODS}/web/portforward",
    f"{PODS}/web/proxy/", f"{PODS}/web/proxy", "/api/v1/nodes/worker/proxy/"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_socket_for_reading_refuses_all_of_it(api, target, method):
    assert ask(api, target, method, read_only=True).code == 403


@pytest.mark.parametrize(("target", "wanted"), [
    ("pods/web/proxy/a/b?c=d&e=%2F", ("http", "10.244.1.2", 8080, "/a/b?c=d&e=%2F")),  # its first container port
    ("pods/web:81/proxy/", ("http", "10.244.1.2", 81, "/")),
    ("pods/https:two:/proxy/x%20y/", ("https", "10.244.1.3", 443, "/x%20y/")),
    ("pods/two/proxy//x", ("http", "10.244.1.3", 80, "//x")),
    ("services/proxy-web/proxy/", ("http", "10.244.1.2", 8080, "/")),
    ("services/proxy-web:80/proxy/", ("http", "10.244.1.2", 8080, "/")),
    ("services/named:http/proxy/x", ("http", "10.244.1.2", 8080, "/x")),
    ("services/named:80/proxy/x", ("http", "10.244.1.2", 8080, "/x")),
    ("services/https:named:http/proxy/x", ("https", "10.244.1.2", 8080, "/x")),
])
def test_where_a_proxied_path_leads(api, target, wanted):
    services(api)
    found = ask(api, f"/api/v1/namespaces/default/{target}", "POST")
    prefix = f"/api/v1/namespaces/default/{target}".split("/proxy/")[0] + "/proxy"
    assert found == ProxyRequest(*wanted, prefix)


def services(api):
    for name, port in (("proxy-web", ""), ("named", "http")):
        api.registry.create("services", service(name, ports=[{"port": 80, "targetPort": 8080, "name": port}]))
        address = {"ip": "10.244.1.2", "targetRef": {"kind": "Pod", "name": "web", "namespace": "default"}}
        api.registry.create("endpoints", {"metadata": {"name": name, "namespace": "default"}, "subsets": [
            {"addresses": [address], "ports": [{"port": 8080} | ({"name": port} if port else {})]}]})
    for name, ip, ref in (("manual", "10.244.1.2", None), ("old", "10.244.1.99", "web")):
        api.registry.create("services", service(name))
        target = {"targetRef": {"kind": "Pod", "name": ref, "namespace": "default"}} if ref else {}
        api.registry.create("endpoints", {"metadata": {"name": name, "namespace": "default"}, "subsets": [
            {"addresses": [{"ip": ip} | target], "ports": [{"port": 80}]}]})
    api.registry.create("services", service("empty"))


@pytest.mark.parametrize(("target", "code", "text"), [
    ("services/none/proxy/", 404, 'services "none" not found'),
    ("services/none:80/proxy/", 404, 'services "none" not found'),
    ("services/a:b:c:d/proxy/", 400, 'invalid service request "a:b:c:d"'),
    ("services/ftp:web:80/proxy/", 400, 'invalid service request "ftp:web:80"'),
    ("services/:80/proxy/", 400, 'invalid service request ":80"'),
    ("pods/a:b:c:d/proxy/", 400, 'invalid pod request "a:b:c:d"'),
    ("pods/slow/proxy/", 400, "address not allowed"),
    ("services/named:99/proxy/", 503, 'no service port 99 found for service "named"'),
    ("services/named/proxy/", 503, 'no endpoints available for service "named"'),  # its only port has a name
    ("services/empty/proxy/", 503, 'no endpoints available for service "empty"'),
    ("services/manual/proxy/", 503, 'no endpoints available for service "manual"'),  # no pod stands behind it
    ("services/old/proxy/", 503, 'no endpoints available for service "old"'),  # the pod has another address now
])
def test_places_that_the_proxy_does_not_reach(api, target, code, text):
    services(api)
    answer = ask(api, f"/api/v1/namespaces/default/{target}")
    assert (answer.code, json.loads(answer.body)["message"]) == (code, text)


def test_a_get_without_the_last_slash_is_sent_there(api):
    answer = ask(api, f"{PODS}/web/proxy?a=b")
    assert isinstance(answer, Response)
    assert (answer.code, dict(answer.headers)) == (301, {"Location": f"{PODS}/web/proxy/?a=b"})


def test_nodes_are_reached_at_their_own_address(api):
    assert ask(api, "/api/v1/nodes/worker:10256/proxy/healthz") == ProxyRequest(
        "http", "172.18.0.3", 10256, "/healthz", "/api/v1/nodes/worker:10256/proxy")
    assert ask(api, "/api/v1/nodes/worker/proxy/x").port == 10250
