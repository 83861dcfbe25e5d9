"""Which patterns are names or prefixes: all other modules rely on this."""

import pytest

from searchaccess.core.patterns.wildcards import is_name, is_prefix


@pytest.mark.parametrize(
    ("pattern", "name", "prefix"),
    [
        pytest.param("orders", True, False, id="a name"),
        pytest.param("orders-*", False, True, id="a prefix"),
        pytest.param("*", False, True, id="a star alone is the empty prefix"),
        pytest.param("orders-*-eu", False, False, id="a star in the middle"),
        pytest.param("orders-**", False, False, id="two stars"),
        pytest.param("orders-?", False, False, id="a question mark"),
        pytest.param("order?-*", False, False, id="a question mark before the star"),
        pytest.param(r"orders-\*", False, False, id="an escaped star"),
        pytest.param("/orders-.*/", False, False, id="a regular expression"),
        pytest.param("/orders-*", False, False, id="a regular expression without an end"),
    ],
)
def test_a_pattern_is_a_name_a_prefix_or_more_than_that(pattern: str, name: bool, prefix: bool) -> None:  # noqa: FBT001 - one of a table
    assert (is_name(pattern), is_prefix(pattern)) == (name, prefix)
