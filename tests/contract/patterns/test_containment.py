"""Whether patterns match every name of another, or meet it, is what Elasticsearch says when it is asked about them."""

from collections import Counter
from collections.abc import Iterator
from functools import cache, partial

import httpx
import pytest

from searchaccess.core.model.canonical import role_from_json
from searchaccess.core.model.parsing import access_from_object
from searchaccess.core.patterns.containment import contained
from searchaccess.core.patterns.meeting import can_meet
from searchaccess.core.patterns.parsed import matches, parse_index_pattern
from tests.contract.patterns.test_patterns import NAME, Reader, is_accepted
from tests.stack.elasticsearch import ElasticsearchServer
from tests.support.indexpatterns.families import families
from tests.support.indexpatterns.languages import do_meet, names
from tests.support.worlds.world import access, grant

ROUNDS = 4
"""Each a request about all pairs of `SEVERAL` patterns with as many lists: 10,000 pairs in all."""
SEVERAL = 50
UNDECIDED = 0.1
"""At most so many patterns may be said to meet because it takes too long to find out."""

AS_READER = {"es-security-runas-user": NAME}
BESIDE_NONE = "**"
"""What Elasticsearch reads as nothing beside other wildcards, and as everything otherwise."""


@pytest.fixture(scope="module")
def reader(elasticsearch_server: ElasticsearchServer) -> Iterator[Reader]:
    with elasticsearch_server.client() as admin:
        made = Reader(admin)
        yield made
        made.remove()


def is_comparable(pattern: str) -> bool:
    """Say whether Elasticsearch's answer about a pattern is one about names.

    It also compares the empty text, which no index is named. A pattern that matches nothing is allowed by no role: the
    answer is no, although there is no name that is not allowed.
    """
    return not matches(parse_index_pattern(pattern), "") and not names(pattern).isempty()


@cache
def rounds() -> list[list[str]]:
    """Return lists of patterns that Elasticsearch accepts, with some of each of many families."""
    every = families(ROUNDS * 20)
    several = [[text for family in every[at::ROUNDS] for text in family[:5]] for at in range(ROUNDS)]
    return [[text for text in dict.fromkeys(texts) if is_accepted(text) and text != BESIDE_NONE] for texts in several]


def test_what_is_contained_elasticsearch_allows_and_what_is_not_it_refuses(reader: Reader) -> None:
    wrong, seen = [], Counter[str]()
    for texts in rounds():
        asked = [text for text in texts if is_comparable(text)][:SEVERAL]
        lists = [tuple(texts[at : at + 1 + at % 3]) for at in range(SEVERAL)]
        allowed = reader.allowing(lists, asked)
        examples = dict[tuple[str, ...], str]()
        for at, others in enumerate(lists):
            for pattern in asked:
                verdict = contained(pattern, others)
                if verdict.example:
                    examples[others] = verdict.example
                seen["undecided" if verdict.undecided else "yes" if verdict.contained else "no"] += 1
                if not verdict.undecided and verdict.contained != ((at, pattern) in allowed):
                    wrong.append((pattern, others, verdict))
        assert len(examples) > SEVERAL // 2
        assert not any(reader.allowed(list(examples), list(examples.values())))

    assert wrong == []
    assert seen.total() == ROUNDS * SEVERAL * SEVERAL
    assert min(seen["yes"], seen["no"]) > seen.total() // 10


def complement_of(pattern: str) -> str:
    """Write a regular expression of every other name."""
    if pattern.startswith("/"):
        return f"/~({pattern[1:-1]})/"
    wild = {"*": ".*", "?": "."}
    return "/~(" + "".join(wild.get(one) or (one if one.isalnum() else f"\\{one}") for one in pattern) + ")/"


def test_what_meets_no_name_of_another_elasticsearch_allows_with_the_others_complement(reader: Reader) -> None:
    wrong, seen = [], Counter[str]()
    texts = rounds()[0]
    asked = [text for text in texts if is_comparable(text)][:SEVERAL]
    complements = {text: complement_of(text) for text in texts[:SEVERAL] if is_accepted(complement_of(text))}
    apart = reader.matched(list(complements.values()), asked)
    for other, complement in complements.items():
        for pattern in asked:
            said = can_meet(pattern, other).yes
            meet = (complement, pattern) not in apart
            seen["yes" if meet else "no"] += 1
            if meet and not said:
                wrong.append((pattern, other))
            # They may also meet in a data stream and its backing indices.
            if said and not meet and not do_meet(pattern, other):
                seen["undecided"] += 1

    assert wrong == []
    assert seen["undecided"] <= UNDECIDED * (seen["yes"] + seen["no"])
    assert min(seen["yes"], seen["no"]) > 500


def test_a_grant_with_two_stars_reads_documents(reader: Reader, elasticsearch_server: ElasticsearchServer) -> None:
    raw = access("stars", grant("**", "contract-stars-*"))
    body = access_from_object(raw).share.body.to_json()
    with elasticsearch_server.client() as admin:
        admin.put("/contract-stars/_doc/1?refresh=true", json={"a": 1}).raise_for_status()
        try:
            search = partial(admin.get, "/contract-stars/_search", headers=AS_READER)
            reader.write_role({"indices": [{"names": raw["spec"]["grants"][0]["indices"], "privileges": ["read"]}]})
            assert search().status_code == httpx.codes.FORBIDDEN, (
                "Elasticsearch gives nothing for what is declared as it stands"
            )
            reader.write_role(body)
            assert search().status_code == httpx.codes.OK
            found = role_from_json(admin.get(f"/_security/role/{NAME}").raise_for_status().json()[NAME])
            assert found.same_as(role_from_json(body)), "the next read finds no difference"
        finally:
            admin.delete("/contract-stars").raise_for_status()


def test_two_stars_are_everything_alone_and_nothing_beside_others(reader: Reader) -> None:
    lists = [(BESIDE_NONE,), (BESIDE_NONE, "a*"), (BESIDE_NONE, "*a*"), (BESIDE_NONE, "*"), ("***", "a*")]

    assert reader.allowed(lists, ["b"] * len(lists)) == [True, False, False, True, True]
    assert all(contained("b", others).contained for others in lists)
