"""Random and mutated HTTP requests: what a careless client, a broken one or an enemy may send."""

import json
import random

from netlab.api.resources import RESOURCES
from tests.api.objects import deployment, pod, service
from tests.api.test_fuzz import HEADERS, QUERIES, mutate

SEEDS = {
    "services": service(type="LoadBalancer"),
    "pods": pod(),
    "deployments": deployment(),
    "configmaps": {"metadata": {"name": "web"}, "data": {"a": "b"}},
    "endpoints": {
        "metadata": {"name": "web"},
        "subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 1}]}],
    },
    "endpointslices": {
        "metadata": {"name": "web"},
        "addressType": "IPv4",
        "ports": [{"port": 1}],
        "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": True}}],
    },
    "nodes": {"metadata": {"name": "web"}},
    "namespaces": {"metadata": {"name": "web"}},
    "secrets": {"metadata": {"name": "web"}, "stringData": {"a": "b"}},
    "serviceaccounts": {"metadata": {"name": "web"}},
}
SUBRESOURCES = [
    "/status",
    "/scale",
    "/log",
    "/eviction",
    "/binding",
    "/token",
    "/exec",
    "/attach",
    "/portforward",
    "/proxy",
    "/proxy/a/b?x=1",
    "/ephemeralcontainers",
    "/finalize",
    "/nosuch",
    "/status/more",
]
PATHS = [
    "/",
    "//",
    "/api",
    "/api/",
    "/apis",
    "/apis/apps/v1",
    "/apis/apps/v9",
    "/openapi/v2",
    "/openapi/v3/api/v1",
    "/version",
    "/healthz",
    "/livez?verbose",
    "/metrics",
    "/api/v1/namespaces/%00/pods",
    "/%ff%fe",
    "/api/v1/\u00e9",
    "/api/v1/namespaces/../../etc/passwd",
    "*",
    "http://other/api/v1/pods",
    "/api/v1/watch/pods",
    "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    "/apis/authorization.k8s.io/v1/subjectaccessreviews",
    "/apis/authentication.k8s.io/v1/tokenreviews",
    "/api/v1/namespaces/default/pods/web/exec?command=id&stdout=1",
]
MORE_QUERIES = [
    "?limit=-1",
    "?limit=99999999999999999999",
    "?limit=1&continue=%00",
    "?timeoutSeconds=x&watch=1",
    "?resourceVersion=-1",
    "?resourceVersion=x&resourceVersionMatch=Exact",
    "?fieldManager=" + "x" * 200,
    "?labelSelector=a%20in%20(b",
    "?fieldSelector=status.phase=x,,",
    "?fieldSelector=%F0%9F%98%80=1",
    "?force=true&fieldManager=a",
    "?fieldManager=a",
    "?dryRun=x",
    "?watch=maybe",
    "?sendInitialEvents=true&watch=1&resourceVersionMatch=NotOlderThan&timeoutSeconds=0",
    "?pretty=true",
    "?allowWatchBookmarks=1",
]
TEXTS = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b"0",
    b'"x"',
    b"NaN",
    b'{"metadata":{"name":NaN}}',
    b'{"a":1e999}',
    b"[" * 100_000,
    b'{"a":' * 5_000,
    b'{"metadata":{"name":"a","name":"b"},"metadata":{"name":"c"}}',
    b"\xff\xfe{}",
    b'{"metadata":{"name":"\xc3\x28"}}',
    b'{"metadata":{"name":"\\ud800"}}',
    b"9" * 10_000,
    b'{"a":"' + b"x" * 100_000,
    b'{"metadata":{"name":"big"},"data":{"x":"' + b"y" * 2_000_000 + b'"}}',
    b"\0" * 100,
    b"\x1f\x8b\x08\0",
    b"k8s\0",
    b"k8s\0" + b"\xff" * 50,
    b"k8s\0\x0a\xff\xff\xff\xff\x0f",
    b"k8s\0" + b"\x0b" * 20_000,
]
YAMLS = [
    b"a: &a [*a]",
    b"a: &a [x]\nb: *a",
    b"!!python/object/apply:os.system [id]",
    b"? [a]\n: b",
    b"? {a: b}\n: c",
    b"a: !!binary x",
    b"a: !!timestamp x",
    b"a: !!int x",
    b"a: !!float x",
    b"a: !!bool x",
    b"!!set {a, b}",
    b"a: 2020-13-45",
    b"a: 2020-01-01T99:99:99Z",
    b"a: .nan\nb: .inf",
    b"<<: 1",
    b"<<: [1]",
    b"a: !!omap [x]",
    b"a: !!pairs [x]",
    b"1: 2\ntrue: 3",
    b"---\na: 1\n---\nb: 2",
    b"%YAML 9.9\n---\na",
    b"a: 0x\nb: 0b\nc: 1_\nd: 1:99:99",
    b"[" * 3_000,
    b"- " * 3_000,
    b"\t",
    b"a: 'x",
    b"2020-01-01: 1",
    b"a: 1" + b"0" * 5_000,
    b"{" * 500,
    b"!!null x: y",
    b"a: !!str [x]",
    b"\xef\xbb\xbfa: 1",
    b"=: 1\na: =",
]
ACCEPTS = [
    "application/json",
    "application/json;as=Table;v=v1;g=meta.k8s.io",
    "*/*",
    "text/html",
    "",
    "application/vnd.kubernetes.protobuf",
    "application/json;as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io",
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
    ";;,,=",
    "application/yaml",
]


def proto(chance, size=200):
    """Something like protobuf: tags and lengths that nearly fit."""
    data = bytearray(b"k8s\0\x0a")
    inner = bytes(
        chance.randrange(256) if chance.random() < 0.5 else chance.choice(b"\x0a\x12\x1a\x08\x01\x04v1")
        for _ in range(chance.randrange(size))
    )
    return bytes(data + bytes([len(inner) & 0x7F]) + inner + b"\x12\x05" + inner)


def body_of(chance, plural):
    """(content type, body)."""
    kind = chance.choice(HEADERS)
    roll = chance.random()
    if roll < 0.08:
        return kind, chance.choice(TEXTS)
    if roll < 0.16:
        return chance.choice(["application/yaml", "application/apply-patch+yaml"]), chance.choice(YAMLS)
    if roll < 0.22:
        return "application/vnd.kubernetes.protobuf", proto(chance)
    if roll < 0.32:
        path = chance.choice(
            [
                "",
                "/",
                "/spec",
                "/metadata/name",
                "/spec/ports/0",
                "/spec/ports/-",
                "/metadata/labels/a~1b",
                "x",
                None,
                "/a/" * 50,
                "/data/~2",
            ]
        )
        steps = [
            {
                "op": chance.choice(["add", "remove", "replace", "move", "copy", "test", "x", None]),
                "path": path,
                "from": path,
                "value": mutate(chance, {"a": [1]}),
            }
            for _ in range(chance.randrange(4))
        ]
        return "application/json-patch+json", json.dumps(steps).encode()
    text = json.dumps(mutate(chance, SEEDS[plural], RESOURCES[plural].kind)).encode()
    if chance.random() < 0.1:
        place = chance.randrange(len(text) + 1)
        text = text[:place] + bytes([chance.randrange(256)]) + text[place + chance.randrange(3) :]
    return kind, text


def request_of(chance: random.Random):
    """The bytes of one request that asks for the connection's end."""
    plural = chance.choice(list(SEEDS))
    kind = RESOURCES[plural]
    space = f"/namespaces/{chance.choice(['default'] * 8 + ['web', 'x', 'a%2Fb'])}" if kind.namespaced else ""
    path = f"{kind.prefix}{space}/{plural}" + chance.choice(
        ["", "", "/web", "/web", "/web", "/", "/a%2Fb", "/" + "a" * 300]
    )
    if chance.random() < 0.2:
        path += chance.choice(SUBRESOURCES)
    if chance.random() < 0.1:
        path = chance.choice(PATHS)
    if "?" not in path:
        path += chance.choice(chance.choice([QUERIES, MORE_QUERIES]))
    fitting = (
        ["GET", "PUT", "PATCH", "PATCH", "PATCH", "DELETE"]
        if "/web" in path.partition("?")[0]
        else ["GET", "POST", "POST"]
    )
    method = chance.choice(
        ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT"]
        if chance.random() < 0.15
        else fitting
    )
    content_type, body = ("", b"") if method in ("GET", "HEAD") and chance.random() < 0.9 else body_of(chance, plural)
    lines = [
        f"{method} {path} HTTP/1.1".encode(),
        b"Host: lab",
        b"Connection: close",
        b"Accept: " + chance.choice(ACCEPTS).encode(),
    ]
    lines += [b"Content-Type: " + content_type.encode()] if content_type else []
    lines += [b"X-Odd: " + bytes(chance.randrange(33, 256) for _ in range(20))] if chance.random() < 0.05 else []
    lines += [b"User-Agent: " + bytes(chance.randrange(160, 256) for _ in range(9))] if chance.random() < 0.05 else []
    if chance.random() < 0.15:
        size = chance.choice([1, 7, 4096]) if len(body) < 10_000 else 65536
        pieces = [body[place : place + size] for place in range(0, len(body), size)]
        lines.append(b"Transfer-Encoding: chunked")
        payload = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    else:
        lines.append(b"Content-Length: %d" % len(body))
        payload = body
    return b"\r\n".join([*lines, b"", payload])


def broken_of(chance: random.Random):
    """Bytes that are no whole request: cut, mangled, with contradicting lengths, or several in one."""
    data = bytearray(request_of(chance))
    roll = chance.random()
    if roll < 0.3:
        return bytes(data[: chance.randrange(len(data))])
    if roll < 0.6:
        head = data.find(b"\r\n\r\n")
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(head)] = chance.randrange(256)
        return bytes(data)
    if roll < 0.8:
        extra = chance.choice(
            [
                b"Content-Length: 5",
                b"Content-Length: -1",
                b"Content-Length: 9999999999999",
                b"X: " + b"a" * 70_000,
                b"Transfer-Encoding: chunked, gzip",
                b"Expect: 100-continue",
                b"Upgrade: websocket\r\nConnection: Upgrade",
                b"Upgrade: SPDY/3.1\r\nConnection: Upgrade",
                b" folded",
                b"no colon",
                b": empty",
                b"\0: x",
            ]
        )
        return bytes(data.replace(b"Host: lab", b"Host: lab\r\n" + extra, 1))
    parts = [request_of(chance).replace(b"Connection: close\r\n", b"") for _ in range(chance.randrange(2, 6))]
    return b"".join(parts) + bytes(data)
