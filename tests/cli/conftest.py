import pytest

from netlab.topology import names
from tests.cli.api_server import ApiServer


@pytest.fixture
def server(tmp_path, monkeypatch):
    """An API server that commands find as the lab `netlab`."""
    monkeypatch.setattr(names, "RUN", tmp_path)
    monkeypatch.delenv("NETLAB_NAME", raising=False)
    names.api_socket("netlab").parent.mkdir(parents=True)
    server = ApiServer(names.api_socket("netlab"))
    yield server
    server.close()
