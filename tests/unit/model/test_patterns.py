"""Index patterns that work, and those that Elasticsearch would take although they do not."""

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchaccess.core.model.patterns import PatternError, check_index_pattern

ACCEPTED = [
    "orders", "orders-*", "a?c", "*", ".internal-*", "orders_2024.01", "größe", "a" * 255,
    "/orders/", "/orders-[0-9]+/", "/a|b/", "/(a|b)*c/", "/[^a-z]x/", "/a{2}/", "/a{2,}/", "/a{2,5}/", "/a{0,1}/",
    r"/a\.b/", r"/\~\&\@\#\<\>\"/", r"/[\]\-a]/", "/[-a]/", "/[a.*+?]/", r"/\d{4}/", r"/[\d_]+/", "/a.*/",
    "/((a)(b))?/", r"/a\/b/", r"/\^a\$/", "/(a{100}){100}/",
]  # fmt: skip

REJECTED: dict[str, str] = {
    "nothing": "",
    "upper case": "Orders",
    "a comma": "a,b",
    "a space": "a b",
    "a space at the end": "a ",
    "a line break": "a\nb",
    "another kind of space": "a\u00a0b",
    "a hash": "A B#",
    "a colon": "cluster:a",
    "date arithmetic": "<logs-{now/d}>",
    "a backslash": "a\\b",
    "a quote": 'a"b',
    "an exclusion": "-a",
    "all indices by their old name": "_all",
    "a plus": "+a",
    "a dot": ".",
    "two dots": "..",
    "one slash": "/",
    "nothing between slashes": "//",
    "no closing slash": "/a",
    "an escaped closing slash": "/a\\/",
    "an open class": "/[/",
    "an empty class": "/[]/",
    "an empty negated class": "/[^]/",
    "an open group": "/(a/",
    "a closing parenthesis": "/a)/",
    "an empty group": "/()/",
    "an empty alternative": "/a|/",
    "an empty first alternative": "/|a/",
    "a repetition of nothing": "/*a/",
    "a repetition of nothing in a group": "/(+)/",
    "a repetition without numbers": "/a{}/",
    "a repetition without a lower bound": "/a{,3}/",
    "a repetition of letters": "/a{b}/",
    "a repetition in other digits": "/a{٣}/",
    "a descending repetition": "/a{3,2}/",
    "too many repetitions": "/a{101}/",
    "too many repetitions at least": "/a{101,}/",
    "multiplied repetitions": "/((a{100}){100}){100}/",
    "an open repetition": "/a{2/",
    "a lazy repetition": "/a+?/",
    "a possessive repetition": "/a*+/",
    "two repetitions": "/a{2}{3}/",
    "a brace": "/a}/",
    "a bracket": "/a]/",
    "a descending range": "/[z-a]/",
    "a dash at the end of a class": "/[+-]/",
    "a dash at the end of a class that another bracket would close": "/[+-]x]/",
    "a range to a class": "/[a-\\d]/",
    "a bracket in a class": "/[[:digit:]]/",
    "a slash": "/a/b/",
    "a beginning": "/^orders/",
    "an end": "/orders$/",
    "a negation": "/~a/",
    "an intersection": "/a&b/",
    "any string": "/a@/",
    "the empty language": "/a#/",
    "a numeric interval": "/a<1-9>/",
    "a quoted string": '/a"b"/',
    "a word boundary": r"/\ba/",
    "a back reference": r"/(a)\1/",
    "a new line escape": r"/a\n/",
    "too deep": "/" + "(" * 30 + "a" + ")" * 30 + "/",
    "a trailing backslash": "/a\\/"[:-1] + "/",
    "a lookahead": "/(?=a)/",
}


@pytest.mark.parametrize("pattern", ACCEPTED)
def test_accepted(pattern: str) -> None:
    check_index_pattern(pattern)
    if pattern.startswith("/"):
        re.compile(pattern[1:-1])


@pytest.mark.parametrize("pattern", REJECTED.values(), ids=REJECTED)
def test_rejected_with_a_message(pattern: str) -> None:
    with pytest.raises(PatternError, match=r"\w{3}"):
        check_index_pattern(pattern)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # Python may give && in classes a meaning one day.
@given(st.text(alphabet="ab1-^$.[](){}*+?|,\\/ dD\u00fc~", max_size=12))
def test_what_is_accepted_is_a_regular_expression_elsewhere_too(text: str) -> None:
    try:
        check_index_pattern(f"/{text}/")
    except PatternError:
        return
    re.compile(text)


plain: st.SearchStrategy[str] = st.recursive(
    st.sampled_from(["a", "b", "-", r"\.", ".", "[a-z]", "[^0-9_]", r"\d"]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}|{pair[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,}", "{0,2}"])).map(lambda x: f"({x[0]}){x[1]}"),
    ),
    max_leaves=6,
)


@given(plain)
def test_plain_expressions_are_accepted(text: str) -> None:
    check_index_pattern(f"/{text}/")
    re.compile(text)


@given(st.text(max_size=20))
def test_any_text_is_accepted_or_refused(text: str) -> None:
    with suppress(PatternError):
        check_index_pattern(text)
