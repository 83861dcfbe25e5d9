"""Each escape gets no rights, and the message names its own fault: parsed, judged and decided as in the loop."""

from collections.abc import Mapping
from typing import Any

import pytest

from searchaccess.core.policy.decision import Do
from tests.unit.builders import a_search_access
from tests.unit.policy.escapes.cases import KEY, NARROW, PRIVATE, SANDBOX, WITHIN, Escape
from tests.unit.policy.escapes.judging import decided
from tests.unit.policy.escapes.limits import LIMITED, SLOW
from tests.unit.policy.escapes.table import ALL


@pytest.mark.parametrize("escape", [pytest.param(escape, id=escape.name) for escape in ALL])
def test_an_escape_gets_no_rights(escape: Escape) -> None:
    decision = decided(escape.policy, escape.manifest)

    assert decision.do in {Do.HOLD, Do.REMOVE}
    assert escape.says in decision.message


@pytest.mark.parametrize(
    ("policy", "spec"),
    [
        pytest.param(SANDBOX, {}, id="one index"),
        pytest.param(SANDBOX, {"grants": [NARROW]}, id="some documents of it"),
        pytest.param(SANDBOX, KEY, id="with a key"),
        pytest.param(PRIVATE, {"grants": [NARROW]}, id="no personal data"),
        pytest.param(LIMITED, {"limits": SLOW}, id="a slow caller"),
    ],
)
def test_what_escapes_differ_from_is_accepted(policy: Mapping[str, Any], spec: Mapping[str, Any]) -> None:
    assert decided(policy, a_search_access(**{**WITHIN, **spec})).do is Do.ENFORCE


def test_there_are_many_and_each_has_a_name_of_its_own() -> None:
    assert len({escape.name for escape in ALL}) == len(ALL) >= 200
