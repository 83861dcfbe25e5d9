"""Index patterns: what is read, what is refused, and which names they match."""

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchaccess.core.patterns import parsed
from searchaccess.core.patterns.expressions import (
    ANY_STRING,
    EMPTY,
    LAST_CODE,
    NOTHING,
    Chars,
    Complement,
    Concat,
    Expression,
    Intersection,
    Repeat,
    Union,
    borders,
    complement,
    decimals,
    derivative,
    intersection,
    nullable,
    size,
)
from searchaccess.core.patterns.parsed import (
    MAX_LENGTH,
    PatternError,
    TooComplicatedError,
    check_index_pattern,
    find_name,
    matches,
    parse_index_pattern,
)
from tests.support.indexpatterns.patterns import ALPHABET, expressions, names, text_of, wildcards

ACCEPTED = [
    "orders", "orders-*", "a?c", "*", ".internal-*", "orders_2024.01", "größe", "a" * 255,
    "/orders/", "/orders-[0-9]+/", "/a|b/", "/(a|b)*c/", "/[^a-z]x/", "/a{2}/", "/a{2,}/", "/a{2,5}/", "/a{0,1}/",
    r"/a\.b/", r"/\~\&\@\#\<\>\"/", r"/[\]\-a]/", "/[-a]/", "/[a.*+?]/", r"/\d{4}/", r"/[\d_]+/", "/a.*/",
    "/((a)(b))?/", r"/a\/b/", r"/\^a\$/", "/(a{100}){10}/", "/()a/", "/(a|())b/", "/@/",
    "/~(([.]|ilm-history-).*)/", r"/@&~(\.security.*)/", "/.*&a.*/", "/~(abc)a.{5}/", "/(a?){9}&[ab]{0,9}/",
    "/a~(b)/", "/.*a&b.*/", "/orders-<1-12>/", "/<001-100>/",
    '/"a.b"/', "*a????????", "/.*a.{8}/", "/(a?){100}/", "/[a-z]{0,100}/", "/.*a.*|.*b.*|.*c.*|.*d.*/",
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
    "a word boundary": r"/\ba/",
    "a back reference": r"/(a)\1/",
    "a new line escape": r"/a\n/",
    "too deep": "/" + "(" * 30 + "a" + ")" * 30 + "/",
    "a trailing backslash": "/a\\/"[:-1] + "/",
    "a lookahead": "/(?=a)/",
    "a complement of less than it seems": "/~orders/",
    "a complement of a class": "/~[a]/",
    "a complement of a complement": "/~~(a)/",
    "a complement of nothing": "/a~/",
    "a complement that is repeated": "/~(a)*/",
    "an intersection without a second part": "/a&/",
    "an intersection without a first part": "/&a/",
    "two intersections": "/a&&b/",
    "an intersection of what has nothing in common": "/a&b/",
    "the complement of all": "/~(.*)/",
    "an empty group alone": "/()/",
    "nothing between quotes": '/""/',
    "an open quote": '/"a/',
    "any string beside a character": "/a@/",
    "any string in a name": "/a@b/",
    "the empty language": "/a#/",
    "the empty language as an alternative": "/a|#/",
    "a named automaton": "/<a>/",
    "an interval without an end": "/<1->/",
    "an interval of signed numbers": "/<+1-9>/",
    "an interval of other digits": "/<\u0661-9>/",
    "an interval of three": "/<1-2-3>/",
    "an interval beyond what Lucene counts": "/<1-2147483648>/",
    "an open interval": "/<1-2/",
    "a range from an escape, which Lucene 10 reads in another way": r"/[\]-a]/",
    "a range from a class": r"/[\d-z]/",
    "a range to an escaped letter": r"/[a-\z]/",
    "repetitions that multiply beyond what Elasticsearch evaluates": "/(a{100}){100}/",
    "a wildcard with more states than Elasticsearch takes": "*a" + "?" * 16,
    "an expression with more states than Elasticsearch takes": "/.*a.{13}/",
    "alternatives with more states than Elasticsearch takes": "/(a|b.*){100}/",
    "such a complement": "/~(.*a.{13})/",
    "such an intersection": "/.*a.{13}&.*b/",
    "what follows a complement": "/~(abc)a.{13}/",
    "what follows an intersection": "/((a|b)*&.*a)(a|b){13}/",
    "an intersection of many transitions": "/(a?){60}&[ab]{0,60}/",
    "one of three": "/(a?){20}&[ab]{0,20}&[ac]{0,20}/",
    "a complement within a complement": "/~(a|~(b).*)/",
    "a complement that is repeated as a group": "/(~(a)){2}/",
    "an intersection that is repeated": "/(a.*&.*b)*/",
    "copies of what may be empty, for Elasticsearch 9": "/((.((.*a)?){0,13})){6}/",
    "an intersection with itself": "/(a?){60}&(a?){60}/",
    "what is hidden by an alternative that matches everything": "/.*|.*a.{20}/",
    "what is hidden by a repetition that is repeated": "/~(([ab]((a|b)*){0,24}(a|.*)){0,16})/",
    "too long": "a" * 256,
}

SAID = {
    "/[+-]/": "a dash at the end of a character class must be escaped with \\",
    "/ab)/": "')' (character 4) closes no group: escape it with \\",
    "/a]b/": "']' (character 3) has no meaning here: escape it with \\",
    "/a|/": "it ends with an empty alternative or group: write () for nothing",
    "/(|a)/": "there is an empty alternative or group before '|' (character 3): write () for nothing",
    "/a{2,b}/": "write a repetition as {2}, {2,} or {2,5}, not {2,b}",
    "/~a/": "'~' is every name but those of what stands next to it: write ~(...), or \\~ for the character",
    "/a@b/": "'@' is any string: write .* for that, or \\@ for the character",
    "/a&b/": "it matches no index",
}
"""What the messages say."""


@pytest.mark.parametrize("pattern", ACCEPTED)
def test_accepted(pattern: str) -> None:
    check_index_pattern(pattern)


def test_usual_patterns_are_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsed, "parse_index_pattern", lambda _: pytest.fail("parsed"))
    for number in range(100):
        for pattern in (f"orders-{number}-*", f"logs_{number}.eu", f"{number}*"):
            check_index_pattern(pattern)


@given(text=st.from_regex(r"[a-z0-9][a-z0-9_.-]*\*?", fullmatch=True, alphabet=st.characters(max_codepoint=127)))
def test_nothing_is_wrong_with_usual_patterns(text: str) -> None:
    if len(text) <= MAX_LENGTH:
        parsed._check_name(text)
        assert not parse_index_pattern(text).caveat


@pytest.mark.parametrize("pattern", REJECTED.values(), ids=REJECTED)
def test_rejected_with_a_message(pattern: str) -> None:
    with pytest.raises(PatternError, match=r"\w{3}"):
        check_index_pattern(pattern)


@pytest.mark.parametrize(("pattern", "message"), SAID.items(), ids=SAID)
def test_a_message_says_where_it_is_and_what_to_write(pattern: str, message: str) -> None:
    with pytest.raises(PatternError, match=re.escape(message)):
        check_index_pattern(pattern)


MATCHES: list[tuple[str, str, str]] = [
    ("*", "a .b orders-1", ""),
    ("a?c", "abc a.c", "ac abbc"),
    ("orders-*", "orders- orders-1", "orders order-1"),
    ("*-*-1", "a-b-1 --1", "a-1 a-b-1-2"),
    ("a.c", "a.c", "abc"),
    ("größe*", "größe größen", "grosse"),
    ("/orders/", "orders", "orders-1 my-orders"),
    ("/a.c/", "abc a.c", "ac"),
    ("/a|b&b|ab/", "a b ab", "ba"),
    ("/~(([.]|ilm-history-).*)/", "a orders ilm-history", ".a ilm-history-1"),
    (r"/@&~(\.security.*)/", "a .kibana security", ".security .security-7"),
    ("/~(o)rders/", "rders aorders", "orders"),
    ("/~orders/", "rders aorders", "orders a"),
    ("/orders-<1-12>/", "orders-1 orders-01 orders-012 orders-12", "orders-0 orders-13 orders-"),
    ("/orders-<01-12>/", "orders-01 orders-12", "orders-1 orders-001"),
    ("/<9-1>/", "1 9", "0 10 01"),
    ("/<0-10>/", "0 00 10 010", "11"),
    ('/"a.b"c/', "a.bc", "aabc"),
    ("/[^a-y]/", "z 1 ü", "a zz"),
    (r"/[\d_]+/", "1_2", "a1"),
    (r"/\D/", "a -", "1 ab"),
    ("/(a{2,3}|b?)c{2}/", "aacc aaacc cc bcc", "acc aaaacc bbcc"),
    ("/a#|b/", "b", "a"),
    ("/^a/", "^a", "a"),
    ("/a+?b/", "b ab aab", "a"),
]
"""Patterns, names that they match, and others."""


@pytest.mark.parametrize(("text", "some", "others"), MATCHES, ids=[case[0] for case in MATCHES])
def test_a_pattern_matches_some_names_and_others_not(text: str, some: str, others: str) -> None:
    pattern = parse_index_pattern(text)
    assert [name for name in some.split() if not matches(pattern, name)] == []
    assert [name for name in others.split() if matches(pattern, name)] == []


def test_a_wildcard_may_escape_what_is_special() -> None:
    pattern = parse_index_pattern(r"a\*b\?\c")
    assert [name for name in ("a*b?c", "aab?c", r"a\*b\?c") if matches(pattern, name)] == ["a*b?c"]
    assert matches(parse_index_pattern("a\\"), "a\\")


def test_a_wildcard_beyond_the_basic_plane_is_refused_for_elasticsearch_would_not_match_it() -> None:
    assert matches(parse_index_pattern("a😀"), "a😀")
    assert matches(parse_index_pattern("/a😀.*/"), "a😀b")
    with pytest.raises(PatternError, match="basic plane"):
        parse_index_pattern("a😀*")


@given(expressions)
def test_what_is_written_is_read_back_the_same(expression: Expression) -> None:
    text = f"/{text_of(expression)}/"
    if len(text) <= MAX_LENGTH:
        assert parse_index_pattern(text).expression == expression


def language(expression: Expression, several: frozenset[str]) -> frozenset[str]:
    """Return the names of a set, which has all parts of its names, that an expression means by its definition."""
    match expression:
        case Chars(ranges):
            return frozenset(one for one in several if len(one) == 1 and any(x <= ord(one) <= y for x, y in ranges))
        case Concat(parts):
            found = frozenset({""})
            for part in parts:
                found = joined(found, language(part, several), several)
            return found
        case Union(options):
            return frozenset().union(*(language(option, several) for option in options))
        case Intersection(members):
            return several.intersection(*(language(member, several) for member in members))
        case Complement(inner):
            return several - language(inner, several)
        case Repeat(inner, low, high):
            once, found = language(inner, several), frozenset({""})
            for _ in range(low):
                found = joined(found, once, several)
            longest = max(map(len, several))
            for _ in range(longest if high is None else high - low):
                found |= joined(found, once, several)
            return found


def joined(first: frozenset[str], second: frozenset[str], several: frozenset[str]) -> frozenset[str]:
    return frozenset(one + other for one in first for other in second) & several


def parts_of(name: str) -> set[str]:
    return {name[start:end] for start in range(len(name) + 1) for end in range(start, len(name) + 1)}


@given(expressions, names)
def test_an_expression_matches_what_it_means(expression: Expression, name: str) -> None:
    rest = expression
    for one in name:
        rest = derivative(rest, ord(one))
    assert nullable(rest) is (name in language(expression, frozenset(parts_of(name))))


@given(wildcards, names)
def test_a_wildcard_matches_as_its_regular_expression(text: str, name: str) -> None:
    regex = "".join({"*": ".*", "?": "."}.get(one) or re.escape(one) for one in text)
    assert matches(parse_index_pattern(text), name) is (re.fullmatch(regex, name) is not None)


common: st.SearchStrategy[str] = st.recursive(
    st.sampled_from(["a", "b", "1", "-", r"\.", ".", "[a-z]", "[^0-9_]", r"\d", r"\W", r"[\d.]", "()"]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}|{pair[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,}", "{0,2}"])).map(lambda x: f"({x[0]}){x[1]}"),
    ),
    max_leaves=6,
)


@given(common, st.text(ALPHABET, max_size=6))
def test_what_is_common_to_all_dialects_matches_as_elsewhere(text: str, name: str) -> None:
    pattern = parse_index_pattern(f"/{text}/")
    assert pattern.caveat == ""
    assert matches(pattern, name) is (re.fullmatch(text, name) is not None)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # Python may give && in classes a meaning one day.
@given(st.text(alphabet="ab1-^$.[](){}*+?|,\\/ dD\u00fc", max_size=12))
def test_what_is_accepted_without_operators_of_lucene_is_a_regular_expression_elsewhere_too(text: str) -> None:
    try:
        check_index_pattern(f"/{text}/")
    except PatternError:
        return
    re.compile(text)


@given(
    st.one_of(st.text(max_size=20), st.text('ab1-^$.[](){}*+?|,\\/ dD~&@#<>"\u00fc', max_size=30).map("/{}/".format))
)
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(PatternError):
        check_index_pattern(text)


@given(expressions, st.integers(0, LAST_CODE))
def test_nothing_changes_between_two_borders(expression: Expression, code: int) -> None:
    before = max(border for border in borders(expression) if border <= code)
    assert derivative(expression, before) == derivative(expression, code)


@given(expressions)
def test_a_name_that_is_found_is_matched_and_none_is_found_in_both_an_expression_and_its_complement(
    expression: Expression,
) -> None:
    with suppress(TooComplicatedError):
        name = find_name(expression, 2_000)
        if name is not None:
            assert nullable_after(expression, name)
        assert find_name(intersection((expression, complement(expression))), 2_000) is None
        assert find_name(NOTHING) is None


def nullable_after(expression: Expression, name: str) -> bool:
    for one in name:
        expression = derivative(expression, ord(one))
    return nullable(expression)


def test_a_shortest_name_is_found() -> None:
    expression = parse_index_pattern("/.*b.*&a.*|abbbb/").expression
    assert find_name(expression) == "ab"
    assert find_name(EMPTY) == ""
    assert find_name(ANY_STRING) == ""


@given(st.integers(0, 1200), st.integers(0, 1200), st.integers(0, 1300), st.sampled_from([0, 4]))
def test_an_interval_has_the_numbers_from_its_first_to_its_last(one: int, other: int, number: int, width: int) -> None:
    low, high = sorted((one, other))
    expression = decimals(low, high, width)
    assert nullable_after(expression, f"{number:0{width}}") is (low <= number <= high)
    assert nullable_after(expression, f"{number:05}") is (low <= number <= high and not width)


WORST = [
    "/" + "~" * 253 + "/",
    "/" + "(" * 253 + "/",
    "/" + "~(" * 80 + "a" + ")" * 80 + "/",
    "/a" + "?" * 252 + "/",
    "/a" + "{2}" * 84 + "/",
    "/a" + "{1,}" * 63 + "/",
    "/a" + "{0,1}*?+" * 31 + "/",
    "/" + "|" * 253 + "/",
    "/a" + "&a" * 126 + "/",
    "/" + "<1-2147483647>" * 18 + "/",
    "/" + r"\W" * 126 + "/",
    "*?" * 127,
    "*a" + "?" * 253,
    "/" + "(.*a){9}" * 31 + "/",
    "/" + "(((a{10}){10}){10})" * 13 + "/",
]


@pytest.mark.parametrize("text", WORST)
def test_the_worst_patterns_are_answered_within_their_steps(text: str) -> None:
    with suppress(PatternError):
        pattern = parse_index_pattern(text)
        assert size(pattern.expression) <= 255 * 1000
        assert isinstance(matches(pattern, "ab" * 20), bool)
    with suppress(PatternError):
        check_index_pattern(text)


def test_a_question_that_takes_too_long_is_given_up() -> None:
    with pytest.raises(TooComplicatedError):
        matches(parse_index_pattern("*a" + "?" * 253), "a" * 255)
    with pytest.raises(TooComplicatedError):
        find_name(parse_index_pattern("/.*a.{20}&~(.*a.{20})/").expression, steps=1_000)
