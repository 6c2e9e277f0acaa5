import os

import pytest
from pretend_host import PretendHost

from tests.lab.in_lab import InLab


@pytest.fixture(scope="module")
def lab(request):
    """One lab for the module, with the module's MANIFESTS applied."""
    if os.geteuid() != 0:
        pytest.skip("a lab needs root")
    made = InLab(request.module.LAB)
    try:
        made.apply(request.module.MANIFESTS)
        yield made
    finally:
        made.lab.down()


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
