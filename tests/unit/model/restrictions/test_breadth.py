"""Which queries count as limiting what may be read; what is broad is in the table of escapes."""

from typing import Any

import pytest

from searchaccess.core.model.restrictions.breadth import may_match_all
from tests.unit.policy.escapes.limiting import LIMITING


@pytest.mark.parametrize("where", LIMITING, ids=str)
def test_a_query_on_fields_of_the_documents_is_not_broad(where: dict[str, Any]) -> None:
    assert not may_match_all(where)


def test_what_is_too_deep_to_read_is_broad() -> None:
    deep: Any = {"term": {"region": "eu"}}
    for _ in range(5_000):
        deep = {"bool": {"filter": deep}}
    assert may_match_all(deep)
