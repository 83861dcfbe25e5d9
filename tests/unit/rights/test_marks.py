"""The name that keeps a restricted entry apart is ours alone: no message and no status shows it."""

import json

import elastic_transport
import elasticsearch
import pytest

from searchaccess.adapters.elasticsearch.errors import map_error, map_item
from searchaccess.core.model.access import Share, kept_apart
from searchaccess.core.model.canonical import Entry, RoleBody, without_marks
from searchaccess.core.ownership.adoption import Agreed
from searchaccess.core.patterns.parsed import NO_INDEX
from searchaccess.core.rights.diff import diff_extra, diff_share
from searchaccess.core.rights.plan import plan_role, seen_role
from searchaccess.core.rights.recollection import Seen
from tests.unit.builders import OPERATOR, PRINCIPAL, ROLE, a_grant, a_member, a_role, an_access

EU = kept_apart(Entry(("orders-*",), ("read",), query='{"term":{"region":"eu"}}'))
US = kept_apart(Entry(("orders-*",), ("read",), query='{"term":{"region":"us"}}'))
BARE = Entry(("orders-*",), ("read",), query=EU.query)
MARK = next(name for name in EU.names if name.startswith(NO_INDEX))


@pytest.mark.parametrize(
    ("text", "without"),
    [
        (f"for indices [{MARK},orders-*] at", "for indices [orders-*] at"),
        (f"for indices [a, {MARK}] at", "for indices [a] at"),
        (json.dumps([MARK, "a"]), '["a"]'),
        (json.dumps(["A", MARK, "a"]), '["A", "a"]'),
        (json.dumps([MARK]), "[]"),
        ("NO-INDEX#", "NO-INDEX#"),
    ],
)
def test_a_text_can_be_shown_without_it(text: str, without: str) -> None:
    assert without_marks(text) == without


def test_differences_do_not_show_it() -> None:
    for want, have in [((EU,), ()), ((), (EU,)), ((EU,), (US,)), ((EU,), (BARE,)), ((EU, US), (US,))]:
        found = diff_share("role/x", Share(want), Share(have))
        assert found
        assert NO_INDEX not in str(found)
    assert NO_INDEX not in str(diff_extra("role/x", Share((EU,)), ""))


def test_another_restriction_is_one_difference_and_a_lost_mark_is_one_too() -> None:
    (query,) = diff_share("role/x", Share((EU,)), Share((US,)))
    assert (query.path, query.want, query.have) == ("indices[orders-*].query", EU.query, US.query)
    (names,) = diff_share("role/x", Share((EU,)), Share((BARE,)))
    assert (names.path, names.want, names.have) == (
        "indices[orders-*].names", '["(kept apart)","orders-*"]', '["orders-*"]',
    )  # fmt: skip
    other = Entry(tuple(sorted({f"{NO_INDEX}0123456789abcdef", "orders-*"})), ("read",), query=EU.query)
    (names,) = diff_share("role/x", Share((EU,)), Share((other,)))
    assert names.path == "indices[orders-*].names"


def test_a_role_that_was_deleted_or_adopted_does_not_show_it() -> None:
    access = an_access(grants=[a_grant(where={"term": {"region": "eu"}})])
    assert NO_INDEX in str(access.share)
    gone = plan_role(OPERATOR, PRINCIPAL, [a_member(access)], None, {access.uid: Seen(ROLE, access.share.hash)})
    assert gone.findings[access.uid].drift
    assert NO_INDEX not in str(gone.findings)
    member, foreign = a_member(an_access(grants=[a_grant()])), a_role(RoleBody(entries=access.share.entries))
    agreed = Agreed("prod", {ROLE: seen_role(foreign).hash}, at_once=True)
    adopted = plan_role(OPERATOR, PRINCIPAL, [member], foreign, {}, agreed)
    assert '"orders-*"' in adopted.findings["uid-orders"].adopted
    assert NO_INDEX not in str(adopted.findings)


def test_what_elasticsearch_says_does_not_show_it_and_long_values_do_not_hide_the_cause() -> None:
    values = ",".join(f"customer-{number}" for number in range(3000))
    error = {
        "type": "parse_exception",
        "reason": f"failed to parse field 'query' for indices [{MARK},{values}] at index privilege [0] of role",
        "caused_by": {"type": "parsing_exception", "reason": "unknown query [trem]"},
    }
    meta = elastic_transport.ApiResponseMeta(
        400, "1.1", elastic_transport.HttpHeaders(), 0.1, elastic_transport.NodeConfig("https", "es", 9200)
    )
    whole = elasticsearch.BadRequestError("x", meta, {"error": error | {"root_cause": [error]}})
    for message in (map_item(error).message, map_error(whole).message):
        assert NO_INDEX not in message
        assert message.endswith("unknown query [trem]")
        assert len(message) < 600
