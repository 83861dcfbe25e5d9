"""A field's name means the field, its multi-fields and everything below it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchaccess.core.model.canonical import entry_from_json
from searchaccess.core.model.restrictions.fields import with_all_below
from searchaccess.core.patterns.parsed import matches, parse_index_pattern
from tests.unit.builders import a_grant, an_access

NAMES: dict[str, tuple[list[str], tuple[str, ...]]] = {
    "a field": (["customer.ssn"], ("customer.ssn", "customer.ssn.*")),
    "two, sorted": (["b", "a"], ("a", "a.*", "b", "b.*")),
    "the same twice": (["a", "a"], ("a", "a.*")),
    "an object and what is in it": (["customer.ssn", "customer"], ("customer", "customer.*")),
    "with all that is below it": (["a.*", "a"], ("a", "a.*")),
    "only what is below it": (["payment.*"], ("payment.*",)),
    "a wildcard at the end": (["cust*"], ("cust*",)),
    "what a wildcard covers": (["cust*", "customer", "custom.*", "c"], ("c", "c.*", "cust*")),
    "a wildcard inside": (["*.ssn"], ("*.ssn", "*.ssn.*")),
    "any character": (["a?"], ("a?", "a?.*")),
    "all fields": (["*", "a", "/b/"], ("*",)),
    "none": ([], ()),
    "a star that is a star": ([r"a\*"], (r"a\*", r"a\*.*")),
    "a backslash and any rest": ([r"a\\*"], (r"a\\*",)),
    "a backslash at the end": (["a\\"], ("a\\", r"a\\.*")),
    "two backslashes at the end": ([r"a\\"], (r"a\\", r"a\\.*")),
    "metadata": (["_source"], ("_source", "_source.*")),
    "a regular expression": (["/a|b/"], (r"/(a|b)(\..*)?/",)),
}


@pytest.mark.parametrize(("names", "patterns"), NAMES.values(), ids=NAMES)
def test_patterns(names: list[str], patterns: tuple[str, ...]) -> None:
    assert with_all_below(names) == patterns


parts = st.sampled_from(["a", "b", "*", "?", ".", "\\"])
written = st.text(parts, min_size=1, max_size=5)
real_names = st.text(st.sampled_from("ab.*?\\"), min_size=1, max_size=6)


@given(st.lists(written, max_size=3), real_names, st.text("ab.", max_size=3))
def test_exactly_what_is_named_and_all_below_it_matches(names: list[str], field: str, below: str) -> None:
    def any_of(patterns: list[str] | tuple[str, ...], name: str) -> bool:
        return any(matches(parse_index_pattern(pattern), name) for pattern in patterns)

    patterns = with_all_below(names)
    ancestors = [field[:end] for end, one in enumerate(field) if one == "."]
    assert any_of(patterns, field) == (any_of(names, field) or any(any_of(names, name) for name in ancestors))
    if any_of(names, field):
        assert any_of(patterns, f"{field}.{below}")


@given(st.lists(written, min_size=1, max_size=4))
def test_the_form_is_stable(names: list[str]) -> None:
    patterns = with_all_below(names)
    assert with_all_below(patterns) == patterns == with_all_below(names[::-1])
    assert tuple(sorted(set(patterns))) == patterns


def test_an_entry_is_read_back_as_it_was_written() -> None:
    fields = {"include": ["*"], "exclude": ["customer.ssn", "b"]}
    entry = an_access(grants=[a_grant(fields=fields)]).share.entries[0]
    assert (entry.include, entry.exclude) == (("*",), ("b", "b.*", "customer.ssn", "customer.ssn.*"))
    assert entry_from_json(entry.to_json()) == entry


def test_all_fields_restrict_nothing() -> None:
    share = an_access(grants=[a_grant(fields={"include": ["a", "*"]})]).share
    assert share == an_access().share


BAD = {"not closed": "/a", "a slash alone": "/", "not readable": "/[/", "unbalanced": "/a)(b/"}


@pytest.mark.parametrize("name", BAD.values(), ids=BAD)
@pytest.mark.parametrize("side", ["include", "exclude"])
def test_a_regular_expression_that_cannot_be_read_is_named(side: str, name: str) -> None:
    access = an_access(grants=[a_grant(fields={side: [name]})])
    assert f"spec.grants[0].fields.{side}: {name!r}" in access.invalid
    assert access.share.entries == ()


def test_a_name_is_no_problem() -> None:
    assert not an_access(grants=[a_grant(fields={"include": ["customer.ssn", "/customer_[0-9]+/"]})]).invalid
