import os

import pytest

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
