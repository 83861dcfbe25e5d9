"""The name that keeps a restricted entry apart is ours alone: no message and no status shows it."""

import json

import elastic_transport
import elasticsearch
import pytest

from searchaccess.adapters.elasticsearch.errors import map_error, map_item
from searchaccess.core.model.access import Share
from searchaccess.core.model.canonical import Entry, RoleBody, role_from_json
from searchaccess.core.model.parsing import kept_apart
from searchaccess.core.ownership.adoption import Agreed
from searchaccess.core.patterns.marks import is_mark, without_marks
from searchaccess.core.rights.diff import diff_extra, diff_share
from searchaccess.core.rights.ownership import Role
from searchaccess.core.rights.plan import plan_role, seen_role
from searchaccess.core.rights.recollection import Seen
from tests.unit.builders import OPERATOR, PRINCIPAL, ROLE, a_grant, a_member, a_role, an_access

EU = kept_apart(Entry(("orders-*",), ("read",), query='{"term":{"region":"eu"}}'))
US = kept_apart(Entry(("orders-*",), ("read",), query='{"term":{"region":"us"}}'))
BARE = Entry(("orders-*",), ("read",), query=EU.query)
MARK = next(filter(is_mark, EU.names))
FORMER = f"NO-INDEX#{MARK[-17:-1]}"
"""As earlier versions wrote it."""
SHOWN = "NO-INDEX"


@pytest.mark.parametrize(
    ("text", "without"),
    [
        (f"for indices [{MARK},orders-*] at", "for indices [orders-*] at"),
        (f"for indices [a, {MARK}] at", "for indices [a] at"),
        (json.dumps([MARK, "a"]), '["a"]'),
        (json.dumps(["A", MARK, "a"]), '["A", "a"]'),
        (json.dumps([MARK]), "[]"),
        (f"for indices [{FORMER},orders-*] at", "for indices [orders-*] at"),
        (json.dumps(["A", FORMER, MARK, "a"]), '["A", "a"]'),
        ("NO-INDEX#", "NO-INDEX#"),
        ("/NO-INDEX /", "/NO-INDEX /"),
    ],
)
def test_a_text_can_be_shown_without_it(text: str, without: str) -> None:
    assert without_marks(text) == without


def test_differences_do_not_show_it() -> None:
    for want, have in [((EU,), ()), ((), (EU,)), ((EU,), (US,)), ((EU,), (BARE,)), ((EU, US), (US,))]:
        found = diff_share("role/x", Share(want), Share(have))
        assert found
        assert SHOWN not in str(found)
    assert SHOWN not in str(diff_extra("role/x", Share((EU,)), ""))


def test_another_restriction_is_one_difference_and_a_lost_mark_is_one_too() -> None:
    (query,) = diff_share("role/x", Share((EU,)), Share((US,)))
    assert (query.path, query.want, query.have) == ("indices[orders-*].query", EU.query, US.query)
    (names,) = diff_share("role/x", Share((EU,)), Share((BARE,)))
    assert (names.path, names.want, names.have) == (
        "indices[orders-*].names", '["(kept apart)","orders-*"]', '["orders-*"]',
    )  # fmt: skip
    other = Entry(tuple(sorted({"/NO-INDEX 0123456789abcdef/", "orders-*"})), ("read",), query=EU.query)
    (names,) = diff_share("role/x", Share((EU,)), Share((other,)))
    assert names.path == "indices[orders-*].names"


def test_a_role_that_was_deleted_or_adopted_does_not_show_it() -> None:
    access = an_access(grants=[a_grant(where={"term": {"region": "eu"}})])
    assert SHOWN in str(access.share)
    gone = plan_role(OPERATOR, PRINCIPAL, [a_member(access)], None, {access.uid: Seen(ROLE, access.share.hash)})
    assert gone.findings[access.uid].drift
    assert SHOWN not in str(gone.findings)
    member, foreign = a_member(an_access(grants=[a_grant()])), a_role(RoleBody(entries=access.share.entries))
    agreed = Agreed("prod", {ROLE: seen_role(foreign).hash}, at_once=True)
    adopted = plan_role(OPERATOR, PRINCIPAL, [member], foreign, {}, agreed=agreed)
    assert '"orders-*"' in adopted.findings["uid-orders"].adopted
    assert SHOWN not in str(adopted.findings)


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
        assert SHOWN not in message
        assert message.endswith("unknown query [trem]")
        assert len(message) < 600


# Rewritten, where an earlier version wrote it


def former(body: RoleBody) -> RoleBody:
    """Return a role's content as Elasticsearch gives it that has it from an earlier version."""
    return role_from_json(json.loads(json.dumps(body.to_json()).replace("/NO-INDEX ", "NO-INDEX#").replace('/"', '"')))


def is_former_of(body: RoleBody) -> bool:
    return "NO-INDEX#" in json.dumps(body.to_json())


RESTRICTED = an_access(
    grants=[a_grant(where={"term": {"region": "eu"}}), a_grant("0-*"), a_grant("x", fields={"exclude": ["ssn"]})]
)
RECORDED = "38f9f929f639a1fd"
"""What earlier versions recorded as the hash of these rights."""
SEEN = Seen(ROLE, RECORDED)


def test_what_was_recorded_of_rights_stays_known() -> None:
    assert RESTRICTED.share.hash == RECORDED
    body = RESTRICTED.share.body
    assert [entry.hash for entry in former(body).entries] == [entry.hash for entry in body.entries]


def test_a_role_of_an_earlier_version_is_written_anew_and_nothing_is_said() -> None:
    first = plan_role(OPERATOR, PRINCIPAL, [a_member(RESTRICTED)], None, {})
    assert first.write
    there = Role(ROLE, former(first.write.body), first.write.metadata)
    assert not is_former_of(first.write.body)
    plan = plan_role(OPERATOR, PRINCIPAL, [a_member(RESTRICTED)], there, {RESTRICTED.uid: SEEN})
    assert plan.write == first.write
    assert not plan.whole
    (finding,) = plan.findings.values()
    assert (finding.pending, finding.drift, finding.differences) == (False, (), ())
    again = plan_role(OPERATOR, PRINCIPAL, [a_member(RESTRICTED)], plan.write, {RESTRICTED.uid: SEEN})
    assert not again.changes


def test_what_is_held_keeps_its_restriction_when_the_others_are_written_anew() -> None:
    held = an_access("held", grants=[a_grant("held-*", where={"term": {"a": 1}})])
    first = plan_role(OPERATOR, PRINCIPAL, [a_member(RESTRICTED), a_member(held)], None, {})
    assert first.write
    there = Role(ROLE, former(first.write.body), first.write.metadata)
    suspended = an_access("held", grants=[a_grant("other-*")], suspend=True)
    plan = plan_role(OPERATOR, PRINCIPAL, [a_member(RESTRICTED), a_member(suspended)], there, {})
    assert plan.write
    assert plan.write.body.same_as(first.write.body)
    assert not is_former_of(plan.write.body)
    both = [a_member(an_access(suspend=True)), a_member(suspended)]
    assert not plan_role(OPERATOR, PRINCIPAL, both, there, {}).changes, "what nobody enforces is left as it is"


def test_somebody_who_puts_another_mark_is_found_out_in_either_spelling() -> None:
    first = plan_role(OPERATOR, PRINCIPAL, [a_member(RESTRICTED)], None, {})
    assert first.write
    for other in ("NO-INDEX#0123456789abcdef", "/NO-INDEX 0123456789abcdef/"):
        raw = json.loads(json.dumps(first.write.body.to_json()).replace(MARK, other))
        plan = plan_role(
            OPERATOR,
            PRINCIPAL,
            [a_member(RESTRICTED)],
            Role(ROLE, role_from_json(raw), first.write.metadata),
            {RESTRICTED.uid: SEEN},
        )
        assert plan.write == first.write
        assert plan.findings[RESTRICTED.uid].drift
        assert SHOWN not in str(plan.findings)
