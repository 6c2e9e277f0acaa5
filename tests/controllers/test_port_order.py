import pytest

from netlab.controllers.port_order import endpoints_order, slice_order


def ports(*texts):
    found = []
    for text in texts:
        name, number, protocol, *application = text.split("/")
        found.append({"name": name, "port": int(number), "protocol": protocol}
                     | ({"appProtocol": application[0]} if application else {}))
    return found


@pytest.mark.parametrize(("given", "in_slices", "in_endpoints"), [
    # as `kubectl get endpointslices` and `kubectl get endpoints` show them on clusters of 1.33
    (("dns/53/UDP", "dns-tcp/53/TCP", "metrics/9153/TCP"),
     ["metrics", "dns", "dns-tcp"], ["dns-tcp", "dns", "metrics"]),
    (("http/80/TCP", "https/443/TCP", "metrics/1936/TCP"), ["http", "metrics", "https"], ["metrics", "https", "http"]),
    (("http/80/TCP/http", "https/443/TCP/https"), ["https", "http"], ["https", "http"]),
])
def test_ports_are_in_the_order_that_clusters_show(given, in_slices, in_endpoints):
    for order in (given, given[::-1]):
        assert [port["name"] for port in slice_order(ports(*order))] == in_slices
        assert [port["name"] for port in endpoints_order(ports(*order))] == in_endpoints


def test_ports_of_slices_may_lack_everything():
    assert slice_order([{}]) == ({"name": "", "port": None, "protocol": "TCP"},)
