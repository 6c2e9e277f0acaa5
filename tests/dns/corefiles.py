"""Corefiles as configurations, and questions to them."""

from dns_objects import view_of

from netlab.dns.answer import Question
from netlab.dns.chain import Request, run
from netlab.dns.configuration import configure
from netlab.dns.names import Name
from netlab.dns.plugins.setup import Surroundings
from netlab.dns.wire import type_number

KUBEADM = """.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30 {
       disable success cluster.local
       disable denial cluster.local
    }
    loop
    reload
    loadbalance
}
"""


def reader(files):
    """A `read` of these texts by path."""
    def read(path):
        if path not in files:
            raise FileNotFoundError(path)
        return files[path]

    return read


def made(text, *, environment=None, imports=(), **files):
    """The configuration of a Corefile; files as `resolv="nameserver 192.0.2.1"`."""
    paths = {"resolv": "/etc/resolv.conf", "hosts": "/etc/hosts"}
    held = {"/etc/resolv.conf": ""} | {paths[name]: content for name, content in files.items()}
    return configure(text, Surroundings(read=reader(held), environment=environment or {},
                                        files=lambda pattern: imports if pattern == "extra/*" else ()))


class Asker:
    """Asks a configuration; what it forwards is answered by `upstream`, a function from effect to Answer."""

    def __init__(self, configuration, *objects, upstream=None, synced=True):
        self.configuration = configuration
        self.view = view_of(*objects, synced=synced)
        self.upstream = upstream
        self.asked = []
        self.now = 1000.0

    def __call__(self, text, *, port=53):
        name, kind = text.split()

        async def resolve(request):
            server = self.configuration.server(port, request.question.name)
            return await server.handler(request)

        def do(effect):
            self.asked.append(f"{effect.request.question.name} {effect.request.question.type}")
            return self.upstream(effect)

        request = Request(Question(Name.of(name), kind), self.view, resolve, now=self.now, type=type_number(kind))
        return run(resolve(request), do)
