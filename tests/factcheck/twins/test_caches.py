"""The sizes of the parts that work is cut into."""

import pytest

from factcheck.twins.caches import cache_floats, even_part


def test_a_cache_holds_a_positive_number_of_floats():
    assert cache_floats() >= 2**17


@pytest.mark.parametrize("total", [0, 1, 7, 8, 9, 1568, 6272])
@pytest.mark.parametrize("most", [0, 1, 5, 2048, 10_000])
def test_even_parts_are_few_and_no_larger_than_allowed(total, most):
    part = even_part(total, most)
    assert 1 <= part <= max(1, most)
    fewest = -(-total // max(1, most))
    assert -(-total // part) == fewest
