import pytest

from netlab.controllers.subsets import repack, truncate


def row(ip, port=None, *, ready=True):
    return {"ip": ip}, ready, {"port": port, "protocol": "TCP"} if port else None


def shown(subsets):
    def ips(subset, field):
        return " ".join(a["ip"] for a in subset.get(field, ()))
    return [(ips(s, "addresses"), ips(s, "notReadyAddresses"), [p["port"] for p in s.get("ports", ())])
            for s in subsets]


@pytest.mark.parametrize(("rows", "result"), [
    ([], []),
    ([row("b", 80), row("a", 80)], [("a b", "", [80])]),
    ([row("a", 80), row("a", 443), row("b", 80), row("b", 443)], [("a b", "", [443, 80])]),  # the order of hashes
    ([row("a", 80), row("b", 8080)], [("a", "", [80]), ("b", "", [8080])]),
    ([row("a", 80), row("b", 80, ready=False)], [("a", "b", [80])]),
    ([row("a", 80, ready=False)], [("", "a", [80])]),
    ([row("a", 80, ready=False), row("a", 443)], [("", "a", [80]), ("a", "", [443])]),
    ([row("a", 80), row("a", 80, ready=False)], [("", "a", [80])]),  # not ready trumps ready
    ([row("a", 80), row("b", 80), row("a", 443)], [("a b", "", [80]), ("a", "", [443])]),  # b has no 443
    ([row("a"), row("b")], [("a b", "", [])]),
])
def test_ports_with_the_same_addresses_share_a_subset(rows, result):
    assert shown(repack(rows)) == result


@pytest.mark.parametrize(("capacity", "result"), [
    (9, [("a b c", "d", [80]), ("e f", "", [81])]),
    (5, [("a b c", "", [80]), ("e f", "", [81])]),  # not ready ones go first
    (3, [("a b", "", [80]), ("e", "", [81])]),
    (1, [("a", "", [80])]),
])
def test_too_many_addresses_are_truncated(capacity, result):
    subsets = repack([row("a", 80), row("b", 80), row("c", 80), row("d", 80, ready=False), row("e", 81), row("f", 81)])
    kept, truncated = truncate(subsets, capacity)
    assert (shown(kept), truncated) == (result, capacity < 6)


def test_shares_are_rounded_up_and_the_last_subset_has_what_is_left():
    subsets = repack([row(f"{port}-{number}", port, ready=False) for port in (80, 81, 82) for number in range(3)])
    assert [len(subset["notReadyAddresses"]) for subset in truncate(subsets, 7)[0]] == [3, 3, 1]
