"""Requests for tests of answers, without a connection."""

from netlab.workloads.http import Request
from netlab.workloads.identity import Identity

ME = Identity("web-1", "blue", "worker", "10.244.1.2", "2.0")
HEADERS = (("Host", "shop:8080"), ("User-Agent", "curl/8.5.0"), ("Accept", "*/*"))


def get(target="/", *headers, method="GET", body=b"", port=8080):
    """The request of a pod at 10.244.2.9, as curl sends it; `headers` replace those of the same name."""
    replaced = {name.lower() for name, _ in headers}
    kept = tuple(header for header in HEADERS if header[0].lower() not in replaced)
    return Request(method, target, "HTTP/1.1", kept + headers, ("10.244.2.9", 40000), ("10.244.1.2", port), body,
                   len(body))
