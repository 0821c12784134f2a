"""What is made of other libraries' errors."""

import pytest

from retrieval.errors import InputError, as_input_error, first_line


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("bad\nat line 3"), "bad"),
        (OSError(), "OSError"),
        (RuntimeError(" \n"), "RuntimeError"),
        (ValueError("x" * 200), "x" * 200),
        (ValueError("x" * 10**6), "x" * 199 + "…"),
    ],
)
def test_one_line_of_bounded_length(error, said):
    assert first_line(error) == said
    with pytest.raises(InputError) as caught, as_input_error("it is damaged", type(error), hint="make it again"):
        raise error
    assert str(caught.value) == f"it is damaged ({said}); make it again"
