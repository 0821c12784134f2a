"""Comparing verdict tables, for tests."""

import pytest


def assert_same(found, wanted):
    """Two tables hold the same verdicts: words and numbers of rows exactly, figures to 1e-5."""
    assert found.schema.names == wanted.schema.names
    assert found.num_rows == wanted.num_rows
    for a, b in zip(found.to_pylist(), wanted.to_pylist(), strict=True):
        _same(a, b, a["id"])


def _same(a, b, place):
    if isinstance(a, dict) and isinstance(b, dict):
        assert a.keys() == b.keys()
        for name in a:
            _same(a[name], b[name], f"{place}.{name}")
    elif isinstance(a, list) and isinstance(b, list):
        assert len(a) == len(b), place
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            _same(x, y, f"{place}[{i}]")
    elif isinstance(a, float) and isinstance(b, float):
        assert a == pytest.approx(b, abs=1e-5), place
    else:
        assert a == b, place
