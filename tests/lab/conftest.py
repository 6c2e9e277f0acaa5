import pytest
from pretend_host import PretendHost


@pytest.fixture(scope="module")
def one_host():
    """A pretend host for a module's tests, which leave it clean."""
    with PretendHost() as host:
        yield host


@pytest.fixture
def host(one_host):
    """The module's pretend host; no lab is there before and after."""
    assert one_host.is_clean()
    yield one_host
    one_host.netlab("down", "--all")
    assert one_host.is_clean()
