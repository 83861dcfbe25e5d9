"""Whether patterns match every name of another is what Elasticsearch says when it is asked about the pattern."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from searchaccess.core.patterns.containment import Verdict, contained
from searchaccess.core.patterns.parsed import matches, parse_index_pattern
from tests.contract.test_patterns import Reader, is_accepted
from tests.stack.elasticsearch import ElasticsearchServer
from tests.support.patterns import expressions, text_of, wildcards

PAIRS = 50
"""Of one request."""


@pytest.fixture(scope="module")
def reader(elasticsearch_server: ElasticsearchServer) -> Iterator[Reader]:
    with elasticsearch_server.client() as admin:
        made = Reader(admin)
        yield made
        made.remove()


def has_only_names(pattern: str) -> bool:
    """Say whether it matches no empty text: no index is named so, and Elasticsearch compares it all the same."""
    return not matches(parse_index_pattern(pattern), "")


patterns = st.one_of(wildcards, expressions.map(lambda each: f"/{text_of(each)}/")).filter(is_accepted)
others = st.lists(patterns, min_size=1, max_size=3, unique=True)
pairs = st.one_of(
    st.tuples(patterns.filter(has_only_names), others),
    # Some of these are contained: the beginning of a pattern, and anything.
    st.tuples(wildcards.filter(is_accepted).filter(has_only_names), st.integers(1, 4), others).map(
        lambda given: (given[0], [f"{given[0][: given[1]].replace('*', '?')}*", *given[2]])
    ),
)


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(st.lists(pairs, min_size=PAIRS, max_size=PAIRS))
def test_what_is_contained_elasticsearch_allows_and_what_is_not_it_refuses(
    reader: Reader, asked: list[tuple[str, list[str]]]
) -> None:
    answers = [contained(pattern, tuple(others)) for pattern, others in asked]
    allowed = reader.allowed([others for _, others in asked], [pattern for pattern, _ in asked])
    by_example = reader.allowed([others for _, others in asked], [each.example or "a" for each in answers])
    wrong = [
        (pair, answer)
        for pair, answer, pattern, example in zip(asked, answers, allowed, by_example, strict=True)
        if _disagrees(answer, pattern=pattern, example=example)
    ]
    assert wrong == []


def _disagrees(answer: Verdict, *, pattern: bool, example: bool) -> bool:
    if answer.contained:
        return not pattern
    return bool(answer.example) and (pattern or example)
