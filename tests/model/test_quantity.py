import pytest

from netlab.model.quantity import Quantity, parse_all, plus, shown


@pytest.mark.parametrize(("text", "canonical"), [
    ("0", "0"), ("1", "1"), ("500m", "500m"), ("0.5", "500m"), ("1500m", "1500m"), ("2000m", "2"), ("1000", "1k"),
    ("2e3", "2k"), ("1Gi", "1Gi"), ("1.5Gi", "1536Mi"), ("1024Ki", "1Mi"), ("1000Ki", "1000Ki"), ("512", "512"),
    ("0.5Ki", "512"), ("-1k", "-1k"), ("1000000000000000000000", "1000E"), ("100n", "100n"), ("1E", "1E"),
    (".5", "500m"), ("1.", "1")])
def test_quantities_print_in_canonical_form(text, canonical):
    assert str(Quantity.parse(text)) == canonical


@pytest.mark.parametrize("text", ["", "x", "1x", "1Gi5", "m", "1e", "1e999", "1 Gi", "٣"])
def test_what_is_none_is_refused(text):
    with pytest.raises(ValueError, match="not a quantity"):
        Quantity.parse(text)


@pytest.mark.parametrize(("left", "right", "total"), [
    ("500m", "1", "1500m"), ("1Gi", "1M", "1074741824"), ("0", "1Gi", "1Gi"), ("1Gi", "1Gi", "2Gi")])
def test_sums_are_written_as_the_first(left, right, total):
    assert shown(plus(parse_all({"a": left}), parse_all({"a": right}))) == f"a={total}"
