"""What an index pattern matches is what Elasticsearch says that it matches, on each of its releases."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from searchaccess.core.patterns.cost.burden import is_too_complicated_together, is_too_much
from searchaccess.core.patterns.parsed import PatternError, check_index_pattern, matches, parse_index_pattern
from tests.stack.elasticsearch import ElasticsearchServer
from tests.support.indexpatterns.patterns import expressions, floating, names, text_of, wildcards

NAME = "contract.patterns"
NAMES = [
    "a", "b", "ab", "aa", "aab", "abab", "a-b", "a.b", "-", ".a", "a1", "1", "01", "001", "10", "12", "13", "099",
    "orders", "orders-1", "orders-12", "orders-0012", "orders-2024.01", "ilm-history-7", "größe", "größer", "a^b",
    "a$", "a&b", "a@b", "a~b", "a]b", "a[b", "a}b", "d", "z", "_", "a_b", "A", "aÉb", "~a", "a&", "&a", "aaaaaaaaaaaa",
]  # fmt: skip
WRITTEN = [
    "*", "a", "a*", "*a", "a?", "?", "??", "a*b", "a?b", "orders-*", "gr*e", "größe", "a.b", "*1*", "a^b", "a$", "[ab]",
    r"a\*", r"a\b", r"\a",
    "/~(([.]|ilm-history-).*)/", r"/@&~(\.a.*)/", "/@/", "/a@/", "/a@b/", "/#/", "/a#|b/", "/()/", "/a()b/",
    "/(()|a)b/", '/"a.b"/', '/a"."b/', '/""/', r'/"a\b"/', "/orders-<1-12>/", "/orders-<01-12>/", "/<0-12>/",
    "/<12-1>/", "/<00-09>/", "/<001-99>/", "/a<1-1>/", "/~a/", "/~ab/", "/~a*/", "/~(a)*/", "/~~a/", "/~[ab]/",
    "/a&b/", "/a|b&b|ab/", "/.*b&a.*/", "/a&b|ab/", "/&a/", "/a&&b/", "/|a/", "/*a/", "/a**/", "/a+?/", "/a*+/",
    "/a{2}{3}/", "/a{0}/", "/a{0,0}b/", "/a{2,}/", "/(ab){1,2}/", "/^a/", "/a$/", "/^a$/", "/a^b/", "/a]b/", "/a}b/",
    "/a>b/", "/a/b/", r"/a\/b/", r"/a\.b/", "/a.b/", r"/\d+/", r"/\D+/", r"/\w+/", r"/\W+/", r"/\S+/", r"/a\sb/",
    r"/[\d_]+/", r"/[^\d]+/", r"/[\D]+/", r"/[\w-]/", r"/[\W]/", r"/\1/", r"/[\1]/", "/[]a]/", "/[]]/", "/[^]a]+/",
    "/[-a]+/", "/[a[]b/", "/[[a]b/", "/[+-]]/", "/[+-]b]/", "/[0-a]/", "/[a^]b/", r"/[a-\d]/", r"/[a-\z]/", "/[^a]/",
    "/[^-a]/", "/[a.*+?]+/", r"/[\]\-a]+/", r"/a[\^&@~]b/", "/a[&]b/", r"/\~\&\@\#\<\>\"/", r"/a\~b/", r"/\&a/",
    r"/a\\b/", r"/[\\]/", "/gr.*e/", "/grö.e/", "/[ä-ü]*gr.*/", "/A/", "/[A-Z]/", "/.*.*.*/", "/((a)(b))?/",
    "/(a|b)*a(a|b){2}/", "/a{100}/", "/(a{10}){10}/",
    "/(a{100}){10}/", "/(a?){100}/", "/.*a.{10}/", "*a?????????", "/.*a.*|.*b.*|.*c.*|.*d.*|.*e.*/", "/~(.*a.{8})/",
]  # fmt: skip
BROKEN = [
    "/", "/a", "/[/", "/a[/", "/[a/", "/[]/", "/[^]/", "/(/", "/(a/", "/a)/", "/(a|)/", "/a|/", "/a&/", "/a\\/", "/~/",
    "/<a>/", "/<1-/", "/<1>/", "/<-1>/", "/<1-2-3>/", "/<1-99999999999>/", '/"a/', "/a{/", "/a{}/", "/a{,3}/", "/a{b}/",
    "/a{2/", "/a{2,b}/", r"/\b/", r"/a\n/", r"/[\b]/", "/[z-a]/", "/a(?=b/",
]  # fmt: skip
"""What Elasticsearch stores in a role, and then answers its user's requests with an error."""

heavy: st.SearchStrategy[str] = st.recursive(
    st.sampled_from(["a", "b", "ab", ".", "[ab]", ".*", "a.*", ".*a", "(a|b)*"]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}|{pair[1]})"),
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}&{pair[1]})"),
        inner.map("~({})".format),
        st.tuples(inner, st.sampled_from(["*", "?", "{2,}", "{5}", "{9}", "{0,9}", "{0,20}"])).map(
            lambda pair: f"({pair[0]}){pair[1]}"
        ),
    ),
    max_leaves=9,
)
"""Expressions that take much, or too much, to evaluate."""

TOO_COMPLICATED = [
    "*a" + "?" * 16, "/.*a.{13}/", "/(a|b)*a(a|b){13}/", "/~(.*a.{13})/", "/(a{0,100}){20}/",
    "/(a|b.*){100}/", "/~(abc)a.{13}/", "/((a|b)*&.*a)(a|b){13}/",
]  # fmt: skip
"""What each release can read, but gives up on; 8.19 alone also on `/(a{100}){100}/`."""


FLOATING = [f"*{one}*{number}" for number, one in enumerate("abcdefghijklmnopqrstuvwxyz_.0123456789")]
ORDINARY = [
    *(f"orders-{number}-*" for number in range(60)),
    *(f"team-{number}-*-prod-*" for number in range(60)),
    *(f"*-audit-{number}" for number in range(30)),
    *(f"*-tmp{number}-*" for number in range(30)),
    *(f"/logs-{number}-[0-9]{{4}}/" for number in range(20)),
]
"""Index patterns of many teams, none of which is a burden."""


class Reader:
    """A user whose roles have the patterns that are asked about."""

    def __init__(self, admin: httpx.Client) -> None:
        self._admin = admin
        self.write([])
        admin.put(f"/_security/user/{NAME}", json={"password": "long enough", "roles": [NAME]}).raise_for_status()

    def write(self, patterns: Sequence[str]) -> None:
        """Give each pattern a privilege of its own."""
        entries = [{"names": [text], "privileges": [_privilege(at)]} for at, text in enumerate(patterns)]
        self._admin.put(f"/_security/role/{NAME}", json={"indices": entries}).raise_for_status()

    def write_role(self, body: dict[str, Any]) -> None:
        self._admin.put(f"/_security/role/{NAME}", json=body).raise_for_status()

    def search(self) -> httpx.Response:
        return self._admin.get("/*/_search", headers={"es-security-runas-user": NAME}, timeout=120)

    def ask(self, several: Iterable[str], privileges: Sequence[str]) -> httpx.Response:
        """Ask which of the privileges the user has on indices of these names."""
        question = {"index": [{"names": list(several), "privileges": privileges}]}
        run_as = {"es-security-runas-user": NAME}
        return self._admin.post("/_security/user/_has_privileges", json=question, headers=run_as, timeout=120)

    def matched(self, patterns: Sequence[str], several: Sequence[str]) -> set[tuple[str, str]]:
        """Return the pairs of a pattern and a name that it matches."""
        return {(patterns[at], name) for at, name in self.allowing([[text] for text in patterns], several)}

    def allowed(self, lists: Sequence[Sequence[str]], several: Sequence[str]) -> list[bool]:
        """Say of each name or pattern whether the role that has one list of patterns, at the same place, allows it."""
        found = self.allowing(lists, list(dict.fromkeys(several)))
        return [pair in found for pair in enumerate(several)]

    def allowing(self, lists: Sequence[Sequence[str]], several: Sequence[str]) -> set[tuple[int, str]]:
        """Return the pairs of a list's place and a name or pattern that the list allows."""
        entries = [{"names": list(names), "privileges": [_privilege(at)]} for at, names in enumerate(lists)]
        self.write_role({"indices": entries})
        answer = self.ask(several, [_privilege(at) for at in range(len(lists))])
        assert answer.is_success, answer.text
        has = answer.json()["index"]
        return {(at, name) for at in range(len(lists)) for name in several if has[name][_privilege(at)]}

    def remove(self) -> None:
        """Remove the user and its role."""
        self._admin.delete(f"/_security/user/{NAME}").raise_for_status()
        self._admin.delete(f"/_security/role/{NAME}").raise_for_status()


def _privilege(number: int) -> str:
    """Return an action that nothing else is called."""
    return f"indices:data/read/contract{number:04}"


@pytest.fixture(scope="module")
def reader(elasticsearch_server: ElasticsearchServer) -> Iterator[Reader]:
    with elasticsearch_server.client() as admin:
        made = Reader(admin)
        yield made
        made.remove()


def agreed(reader: Reader, patterns: Sequence[str], several: Sequence[str]) -> None:
    parsed = [parse_index_pattern(text) for text in patterns]
    ours = {(each.text, name) for each in parsed for name in several if matches(each, name)}
    theirs = reader.matched(patterns, several)
    assert {"only here": ours - theirs, "only there": theirs - ours} == {"only here": set(), "only there": set()}


def test_what_people_write_matches_as_elasticsearch_says(reader: Reader) -> None:
    agreed(reader, WRITTEN, NAMES)


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(expressions.map(lambda each: f"/{text_of(each)}/"), min_size=60, max_size=80, unique=True),
    st.lists(wildcards, min_size=20, max_size=20, unique=True),
    st.lists(names, min_size=20, max_size=20, unique=True),
)
def test_any_pattern_matches_as_elasticsearch_says(
    reader: Reader, regexes: list[str], simple: list[str], several: list[str]
) -> None:
    agreed(reader, [*(text for text in regexes if len(text) < 256), *simple], several)


def is_accepted(text: str) -> bool:
    try:
        check_index_pattern(text)
    except PatternError:
        return False
    return True


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(heavy.map("/{}/".format).filter(is_accepted), min_size=60, max_size=80, unique=True))
def test_elasticsearch_evaluates_whatever_is_accepted(reader: Reader, regexes: list[str]) -> None:
    agreed(reader, regexes, ["a", "b", "ab", "aab", "abab", "bbbbbbbbbb", "aaaaaaaaaaaa"])


def test_every_pattern_of_elastics_own_roles_is_read_and_matches_as_elasticsearch_says(
    reader: Reader, elasticsearch_server: ElasticsearchServer
) -> None:
    with elasticsearch_server.client() as admin:
        roles = admin.get("/_security/role").raise_for_status().json()
    own = {
        name
        for role in roles.values()
        if role["metadata"].get("_reserved")
        for entry in role["indices"]
        for name in entry["names"]
    }
    assert "/~(([.]|ilm-history-).*)/" in own
    agreed(reader, sorted(own), [*NAMES, "apm-7", ".ml-anomalies-1", "logs-x-1", "traces-apm-default"])
    for name in own:
        if name.startswith("/"):
            check_index_pattern(name)


@pytest.mark.parametrize("text", BROKEN)
def test_what_elasticsearch_breaks_on_is_refused(reader: Reader, text: str) -> None:
    with pytest.raises(PatternError):
        parse_index_pattern(text)
    reader.write([text])
    assert reader.ask(["a"], ["read"]).is_client_error


@pytest.mark.parametrize("text", TOO_COMPLICATED)
def test_what_elasticsearch_gives_up_on_is_refused(reader: Reader, text: str) -> None:
    with pytest.raises(PatternError):
        check_index_pattern(text)
    reader.write([text])
    assert reader.ask(["a"], ["read"]).is_server_error


def write_together(reader: Reader, entries: Sequence[Sequence[str]]) -> None:
    body = {"indices": [{"names": list(names), "privileges": ["read"]} for names in entries]}
    reader.write_role(body)


def test_patterns_of_an_entry_that_elasticsearch_gives_up_on_together_are_refused(reader: Reader) -> None:
    for text in FLOATING:
        check_index_pattern(text)
    assert is_too_complicated_together(frozenset(FLOATING))
    write_together(reader, [FLOATING])
    assert reader.search().is_server_error


def test_ordinary_patterns_are_taken_in_one_entry_and_in_one_role(reader: Reader) -> None:
    entries = [ORDINARY[start : start + 50] for start in range(0, len(ORDINARY), 50)]
    mixed = [ORDINARY[start::4] for start in range(4)]
    for each in (entries, mixed, [[text] for text in ORDINARY]):
        assert not any(is_too_complicated_together(frozenset(names)) for names in each)
        assert not is_too_much(ORDINARY)
        write_together(reader, each)
        assert reader.ask(["a"], ["read"]).is_success


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.lists(floating, min_size=1, max_size=8, unique=True), min_size=1, max_size=4))
def test_what_is_taken_together_elasticsearch_can_use(reader: Reader, entries: list[list[str]]) -> None:
    taken = [names for names in entries if not is_too_complicated_together(frozenset(names))]
    while is_too_much(text for names in taken for text in names):
        taken.pop()
    write_together(reader, taken or [["a"]])
    assert reader.ask(["a"], ["read"]).is_success
