import json

import pytest

from netlab.cli.main import main
from netlab.server.verbs import LAST_APPLIED

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web, labels: {app: web}}
spec: {ports: [{port: 80}]}
"""
MISSING = 'Error from server (NotFound): pods "x" not found\ntry: netlab get pods -A\n'
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\n"


def _write(tmp_path, text, name="web.yaml"):
    path = tmp_path / name
    path.write_text(text)
    return str(path)


def _run(capsys, *given):
    code = main(list(given))
    out, err = capsys.readouterr()
    return code, out, err


def test_apply_creates_with_the_annotation(server, tmp_path, capsys):
    assert _run(capsys, "apply", "-f", _write(tmp_path, SERVICE)) == (0, "service/web created\n", "")
    stored = server.objects["/api/v1/namespaces/default/services/web"]
    text = stored["metadata"]["annotations"][LAST_APPLIED]
    assert text == ('{"apiVersion":"v1","kind":"Service","metadata":{"annotations":{},"labels":{"app":"web"},'
                    '"name":"web"},"spec":{"ports":[{"port":80}]}}\n')


def test_apply_reads_directories_lists_and_several_documents(server, tmp_path, capsys):
    _write(tmp_path, f"{SERVICE}---\n{POD}---\n", "a.yaml")
    _write(tmp_path, json.dumps({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "namespace": "other"}}]}), "b.json")
    _write(tmp_path, "not: read", "c.txt")
    assert _run(capsys, "apply", "-f", str(tmp_path)) == (
        0, "service/web created\npod/web created\ndeployment.apps/d created\n", "")
    assert "/apis/apps/v1/namespaces/other/deployments/d" in server.objects


@pytest.mark.parametrize(("text", "message"), [
    ("a: [", "web.yaml:2:1: YAML: while parsing a flow node; did not find expected node content"),
    ("a: 1\na: 2", 'web.yaml:2:1: a: the key "a" is there already (line 1)'),
    ("a: 1", "web.yaml:1:1: error validating data: [apiVersion not set, kind not set]"),
    ("kind: Pod\napiVersion: v1", "web.yaml:1:1: metadata.name: Required value: name or generateName is required"),
    ("kind: Pod\napiVersion: v1\nmetadata: {generateName: a-}", "cannot use generate name with apply"),
    ("", "no objects passed to apply"),
    ("apiVersion: foo.io/v1\nkind: Bar\nmetadata: {name: x}",
     'web.yaml:2:1: kind: no matches for kind "Bar" in version "foo.io/v1" (there are: Deployment, EndpointSlice, '
     "Namespace, Node, "
     "Pod, Service)"),
    ("apiVersion: apps/v1\nkind: Servce\nmetadata: {name: x}",
     'kind: no matches for kind "Servce" in version "apps/v1" (did you mean "Service", apiVersion "v1"?)'),
])
def test_a_bad_file_writes_nothing(server, tmp_path, capsys, text, message):
    good = _write(tmp_path, SERVICE, "first.yaml")
    files = ["-f", good] if text else []
    code, out, err = _run(capsys, "apply", *files, "-f", _write(tmp_path, text))
    assert (code, out) == (2, "")
    assert message in err
    assert server.objects == {}


def test_what_the_server_refuses_is_found_before_anything_is_written(server, tmp_path, capsys):
    server.refuse = lambda manifest: "spec.a: Required value" if manifest["kind"] == "Pod" else ""
    code, out, err = _run(capsys, "apply", "-f", _write(tmp_path, f"{SERVICE}---\n{POD}"))
    assert (code, out) == (2, "")
    assert 'The Pod "web" is invalid: spec.a: Required value\n' in err
    assert server.objects == {}


def test_a_namespace_that_contradicts_the_file_is_refused(server, tmp_path, capsys):
    file = _write(tmp_path, POD.replace("name: web", "name: web, namespace: a"))
    code, _, err = _run(capsys, "apply", "-f", file, "-n", "b")
    assert code == 2
    assert "the namespace from the provided object \"a\" does not match the namespace \"b\"" in err


@pytest.fixture
def pods(server):
    for name in ("a", "b"):
        server.answer("POST", "/api/v1/namespaces/default/pods",
                      {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": name, "namespace": "default",
                                                                       "labels": {"run": "x"}}}, "")
    server.answer("POST", "/apis/apps/v1/namespaces/default/deployments",
                  {"kind": "Deployment", "metadata": {"name": "d"}, "spec": {"replicas": 1}}, "")
    return server


@pytest.mark.parametrize(("line", "expected"), [
    ("delete pod a", (0, 'pod "a" deleted\n', "")),
    ("delete pods a b", (0, 'pod "a" deleted\npod "b" deleted\n', "")),
    ("delete pod/a deploy/d", (0, 'pod "a" deleted\ndeployment.apps "d" deleted\n', "")),
    ("delete po --all", (0, 'pod "a" deleted\npod "b" deleted\n', "")),
    ("delete pod a --force --grace-period=0", (0, 'pod "a" force deleted\n', "")),
    ("delete pod x", (4, "", MISSING)),
    ("delete pod x --ignore-not-found", (0, "", "")),
    ("label pod a k=v", (0, "pod/a labeled\n", "")),
    ("label pod/a run-", (0, "pod/a unlabeled\n", "")),
    ("label pod a run=x", (0, "pod/a not labeled\n", "")),
    ("label pod a none-", (0, 'label "none" not found.\npod/a not labeled\n', "")),
    ("label pod a run=y", (2, "", "error: 'run' already has a value (x), and --overwrite is false\n")),
    ("label pod a run=y --overwrite", (0, "pod/a labeled\n", "")),
    ("scale deployment d --replicas=3", (0, "deployment.apps/d scaled\n", "")),
    ("scale deploy/d --replicas 0", (0, "deployment.apps/d scaled\n", "")),
    ("get foo", (2, "", 'error: the server doesn\'t have a resource type "foo"\ntry: netlab get all\n')),
    ("get pods", (0, "NAME   KIND\na      Pod\nb      Pod\n", "")),
    ("get po a -o wide", (0, "NAME   KIND   IP\na      Pod    10.0.0.1\n", "")),
    ("get pods -A --no-headers", (0, "default   a   Pod\ndefault   b   Pod\n", "")),
    ("get pods,deploy", (0, "NAME    KIND\npod/a   Pod\npod/b   Pod\n\n"
                            "NAME                KIND\ndeployment.apps/d   Deployment\n", "")),
    ("get pod a --show-labels", (0, "NAME   KIND   LABELS\na      Pod    run=x\n", "")),
    ("get pods -o name", (0, "pod/a\npod/b\n", "")),
    ("get pod a -o jsonpath={.metadata.labels.run}", (0, "x", "")),
    ("get pods -o jsonpath={.items[*].metadata.name}", (0, "a b", "")),
    ("get pod a x", (4, "NAME   KIND\na      Pod\n", MISSING)),
    ("get svc", (0, "", "No resources found in default namespace.\n")),
    ("get svc -A", (0, "", "No resources found\n")),
    ("logs a --tail=3", (0, "", "")),
])
def test_commands_print_what_kubectl_prints(pods, capsys, line, expected):
    assert _run(capsys, *line.split()) == expected


def test_get_yaml_is_yaml_again(pods, capsys):
    import yaml

    code, out, _ = _run(capsys, "get", "pods", "-o", "yaml")
    assert code == 0
    assert [item["metadata"]["name"] for item in yaml.safe_load(out)["items"]] == ["a", "b"]


def test_labels_and_scale_reach_the_object(pods, capsys):
    _run(capsys, "label", "pod", "a", "k=v", "run-")
    _run(capsys, "scale", "deploy", "d", "--replicas", "4")
    assert pods.objects["/api/v1/namespaces/default/pods/a"]["metadata"]["labels"] == {"k": "v"}
    assert pods.objects["/apis/apps/v1/namespaces/default/deployments/d"]["spec"] == {"replicas": 4}


def test_logs_are_bytes_as_they_were_written(pods, capfdbinary):
    pods.log = b"one\n\xff\n"
    assert main(["logs", "a", "-c", "web", "-p"]) == 0
    assert capfdbinary.readouterr().out == b"one\n\xff\n"
    assert pods.requests[-1] == ("GET", "/api/v1/namespaces/default/pods/a/log?container=web&previous=true")


def test_what_the_server_refuses_is_told_with_line_column_and_field(server, tmp_path, capsys):
    server.causes = [{"reason": "FieldValueInvalid", "field": "spec.ports[0].port", "message": "Invalid value: 0"},
                     {"reason": "FieldValueInvalid", "field": "spec.nothing[3].like", "message": "Required value"}]
    server.refuse = lambda manifest: "see the causes" if manifest["kind"] == "Service" else ""
    text = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  ports:\n  - port: 0\n"
    for given in (text, f"{POD}---\n{text}"):
        shift = given.count("\n") - text.count("\n")
        code, out, err = _run(capsys, "apply", "-f", _write(tmp_path, given))
        assert (code, out) == (2, "")
        assert f'web.yaml:{6 + shift}:5: The Service "web" is invalid: spec.ports[0].port: Invalid value: 0\n' in err
        assert f'web.yaml:{4 + shift}:1: The Service "web" is invalid: spec.nothing[3].like: Required value\n' in err
        assert ("nothing was applied" in err) == bool(shift)


def test_a_misspelt_field_is_told_with_its_place_and_the_right_one(server, tmp_path, capsys):
    server.bad_request = 'Service in version "v1" cannot be handled as a Service: strict decoding error: ' \
                         'unknown field "spec.ports[0].targtPort", unknown field "spec.selectr"'
    text = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  selectr: {}\n  ports: [{targtPort: 1}]\n"
    code, _, err = _run(capsys, "apply", "-f", _write(tmp_path, text))
    assert code == 2
    assert 'web.yaml:6:12: The Service "web" is invalid: unknown field "spec.ports[0].targtPort" ' \
           '(did you mean "targetPort"?)\n' in err
    assert 'web.yaml:5:3: The Service "web" is invalid: unknown field "spec.selectr" (did you mean "selector"?)' in err


def test_a_value_of_the_wrong_type_is_told_with_its_place(server, tmp_path, capsys):
    server.bad_request = 'Service in version "v1" cannot be handled as a Service: json: cannot unmarshal string into ' \
                         "Go struct field ServicePort.spec.ports.port of type int32"
    text = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  ports: [{name: a, port: b}]\n"
    _, _, err = _run(capsys, "apply", "-f", _write(tmp_path, text))
    assert "web.yaml:5:21: Error from server (BadRequest): error when applying: Service in version" in err


def test_deleting_a_namespace_with_its_contents_by_one_file_is_fine(server, tmp_path, capsys):
    space = "apiVersion: v1\nkind: Namespace\nmetadata: {name: team}\n"
    inside = "apiVersion: v1\nkind: Pod\nmetadata: {name: gone, namespace: team}\n"
    server.objects["/api/v1/namespaces/team"] = {"kind": "Namespace", "metadata": {"name": "team", "uid": "1"}}
    file = _write(tmp_path, f"{space}---\n{inside}")
    assert _run(capsys, "delete", "-f", file) == (0, 'namespace "team" deleted\n', "")
    assert _run(capsys, "delete", "-f", file)[0] == 4


@pytest.mark.parametrize(("value", "text"), [
    ("plain", "a: plain\n"), ("true", 'a: "true"\n'), ("80", 'a: "80"\n'),
    ("2026-11-21T11:00:00Z", 'a: "2026-11-21T11:00:00Z"\n'),
    ("", 'a: ""\n'), ("one\ntwo\n", "a: |\n  one\n  two\n"), ("one\ntwo", "a: |-\n  one\n  two\n"),
    (80, "a: 80\n"), (None, "a: null\n"), ([{"b": 1}], "a:\n- b: 1\n"), ({}, "a: {}\n"),
])
def test_yaml_is_quoted_as_kubectl_quotes_it(value, text):
    import io

    from netlab.cli import yaml_output

    out = io.StringIO()
    yaml_output.write({"a": value}, out)
    assert out.getvalue() == text


def test_logs_of_several_containers_are_those_of_the_default_one_with_a_notice(pods, capsys):
    pods.log = b"hello\n"
    path = "/api/v1/namespaces/default/pods/a"
    pods.objects[path]["spec"] = {"containers": [{"name": "web"}, {"name": "side"}], "initContainers": [{"name": "i"}]}
    assert _run(capsys, "logs", "a")[2] == 'Defaulted container "web" out of: web, side, i (init)\n'
    assert pods.requests[-1] == ("GET", f"{path}/log?container=web")
    pods.objects[path]["metadata"]["annotations"] = {"kubectl.kubernetes.io/default-container": "side"}
    assert _run(capsys, "logs", "a")[2] == ""
    assert pods.requests[-1] == ("GET", f"{path}/log?container=side")
