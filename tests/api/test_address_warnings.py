import pytest

from netlab.api.address_warnings import cidr_warnings, ip_warnings

FUTURE = "will be considered invalid in a future Kubernetes release: use"


@pytest.mark.parametrize(("text", "warning"), [
    ("010.1.2.3", f'f: non-standard IP address "010.1.2.3" {FUTURE} "10.1.2.3"'),
    ("::ffff:1.2.3.4", f'f: non-standard IP address "::ffff:1.2.3.4" {FUTURE} "1.2.3.4"'),
    ("2001:DB8::1", 'f: IPv6 address "2001:DB8::1" should be in RFC 5952 canonical format ("2001:db8::1")'),
    ("2001:db8:0:0::1", 'f: IPv6 address "2001:db8:0:0::1" should be in RFC 5952 canonical format ("2001:db8::1")'),
    ("10.1.2.3", None), ("2001:db8::1", None), ("None", None), ("", None),
])
def test_an_address_is_better_written_otherwise(text, warning):
    assert ip_warnings("f", text) == ([warning] if warning else [])


@pytest.mark.parametrize(("text", "warnings"), [
    ("10.1.1.1/8", ['f: CIDR value "10.1.1.1/8" is ambiguous in this context (should be "10.0.0.0/8" or '
                    '"10.1.1.1/32"?)']),
    ("010.0.0.0/8", [f'f: non-standard CIDR value "010.0.0.0/8" {FUTURE} "10.0.0.0/8"']),
    ("2001:DB8::/32", ['f: IPv6 CIDR value "2001:DB8::/32" should be in RFC 5952 canonical format ("2001:db8::/32")']),
    ("10.0.0.0/8", []), ("2001:db8::/32", []), (" 10.1.1.1/8", []), ("10.0.0.0", []),
])
def test_a_range_is_better_written_otherwise(text, warnings):
    assert cidr_warnings("f", text) == warnings
