import pytest

from netlab.model import addresses, names


@pytest.mark.parametrize(("check", "text", "valid"), [
    (names.dns_1035_label, "web", True), (names.dns_1035_label, "1web", False), (names.dns_1035_label, "web-", False),
    (names.dns_1035_label, "w" * 64, False), (names.dns_label, "1web", True), (names.dns_label, "Web", False),
    (names.dns_label, "web\n", False), (names.dns_subdomain, "a.b.c", True), (names.dns_subdomain, "10.0.0.1", True),
    (names.dns_subdomain, "a..b", False), (names.dns_subdomain, "a" * 254, False), (names.dns_subdomain, "", False),
    (names.port_name, "http", True), (names.port_name, "8080", False), (names.port_name, "a--b", False),
    (names.port_name, "a" * 16, False), (names.qualified_name, "app.kubernetes.io/name", True),
    (names.qualified_name, "a/b/c", False), (names.qualified_name, "/b", False), (names.label_value, "", True),
    (names.label_value, "a b", False), (addresses.is_ip, "010.096.000.020", False),
])
def test_names_are_as_the_rfcs_want_them(check, text, valid):
    if check is addresses.is_ip:
        assert str(addresses.parse(text)) == "10.96.0.20"  # decimal, never octal
    else:
        assert (check(text) == []) is valid


def test_a_long_text_is_refused_quickly():
    assert names.dns_subdomain("a-" * 1_000_000)
    assert names.label_value("a" * 1_000_000 + "!")


@pytest.mark.parametrize(("text", "problem"), [
    ("10.0.0.1", None), ("2001:db8::1", None), ("0.0.0.0", "unspecified"), ("127.0.0.1", "loopback"),
    ("::1", "loopback"),
    ("169.254.1.1", "link-local range"), ("fe80::1", "link-local range"), ("224.0.0.5", "link-local multicast"),
    ("224.0.1.1", None),
])
def test_special_addresses_cannot_be_endpoints(text, problem):
    found = addresses.not_special(text)
    assert (not found) if problem is None else any(problem in text for text in found)


@pytest.mark.parametrize(("text", "valid"), [
    ("10.0.0.0/8", True), ("10.0.0.1/24", True), ("10.0.0.0", False), ("10.0.0.0/33", False), ("fd00::/8", True),
    ("10.0.0.0/ 8", False), ("x/8", False), ("10.0.0.0/255.0.0.0", False),
])
def test_ranges(text, valid):
    assert addresses.is_cidr(text) is valid
