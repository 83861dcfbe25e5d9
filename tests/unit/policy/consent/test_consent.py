"""Which approvals count, and until when: the table that docs/approvals.md promises."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from searchaccess.api.policies.approval import ApprovalRule
from searchaccess.api.times.durations import seconds
from searchaccess.api.times.moments import moment
from searchaccess.core.model.access import Access
from searchaccess.core.model.consent import NOT_NEEDED, Consent, ConsentState
from searchaccess.core.model.verdict import Outcome, PolicyOutcome, PolicyVerdict
from searchaccess.core.policy.consent import decision
from searchaccess.core.policy.consent.approval import Approval, approval_from_object
from searchaccess.core.policy.consent.decision import Around, Demand, consent_of, given_ahead, with_approvals
from searchaccess.core.policy.consent.vouching import NOT_READ, Vouching
from tests.unit.builders import an_access

APPROVED, MISSING = ConsentState.APPROVED, ConsentState.MISSING
BREAK_GLASS, UNKNOWN = ConsentState.BREAK_GLASS, ConsentState.UNKNOWN
HOUR = 3600
CREATED = int(moment("2026-01-01T10:00:00Z") or 0)
RULE: dict[str, Any] = {"by": {"users": ["bob"], "groups": ["leads"]}, "within": "1h", "for": "8h"}
ALLOWS_GLASS = RULE | {"breakGlass": {"for": "30m"}}
VOUCHED = Vouching(CREATED - HOUR)
_NOT_NAMED = "its spec.approvedBy names no user or group that may approve"


def at(seconds: int) -> str:
    return f"2026-01-01T{10 + seconds // HOUR:02}:{seconds % HOUR // 60:02}:{seconds % 60:02}Z"


def approval(
    *, after: int = 60, name: str = "yes", of: str = "orders", meta: dict[str, Any] | None = None, **spec: Any
) -> dict[str, Any]:
    """Return an approval by bob of the SearchAccess as it is.

    Args:
        after: seconds after the SearchAccess.
        name: its name.
        of: name of the SearchAccess.
        meta: more of its metadata.
        spec: of its spec, what differs.
    """
    given = {"name": of, "uid": "uid-orders", "generation": 1, "approvedBy": {"username": "bob"}}
    metadata = {"namespace": "shop", "name": name, "uid": f"uid-{name}", "creationTimestamp": at(after)}
    return {"metadata": metadata | (meta or {}), "spec": given | spec}


def by(username: str, *groups: str) -> dict[str, Any]:
    return {"username": username} | ({"groups": list(groups)} if groups else {})


@dataclass(frozen=True)
class Case:
    """A SearchAccess of ann, and what becomes of it.

    Args:
        approvals: those that there are.
        expected: the decision.
        ends: seconds after its creation at which its rights end.
        says: what the message has.
        access: what of the SearchAccess differs.
        rules: what policies require.
        now: seconds after its creation.
        vouching: what is known of the admission policies.
        listed: whether all approvals were listed.
    """

    approvals: tuple[dict[str, Any], ...]
    expected: ConsentState
    ends: int | None = None
    says: str = ""
    access: tuple[tuple[str, Any], ...] = ()
    rules: tuple[dict[str, Any], ...] = (RULE,)
    now: int = 120
    vouching: Vouching = VOUCHED
    listed: bool = True

    @property
    def subject(self) -> Access:
        given: dict[str, Any] = {"created_at": at(0), "requested_by": "ann"} | dict(self.access)
        return replace(an_access(), **given)

    @property
    def around(self) -> Around:
        approvals = tuple(map(approval_from_object, self.approvals))
        return Around(approvals, self.listed, self.vouching, CREATED + self.now)


def but(**access: Any) -> tuple[tuple[str, Any], ...]:
    return tuple(access.items())


EMERGENCY = but(break_glass="the shop is down")
END = 60 + 8 * HOUR
CASES: dict[str, Case] = {
    # what counts
    "another user who may": Case((approval(),), APPROVED, END),
    "a member of a group that may": Case((approval(approvedBy=by("eve", "leads")),), APPROVED, END),
    "a member of two groups, of which one may": Case((approval(approvedBy=by("eve", "x", "leads")),), APPROVED, END),
    "the last second in which it is in time": Case((approval(after=HOUR),), APPROVED, 9 * HOUR, now=HOUR + 1),
    "at any time, where the policy has no within": Case(
        (approval(after=5 * HOUR),), APPROVED, 13 * HOUR, rules=({**RULE, "within": "8760h"},), now=6 * HOUR
    ),
    "the longest of several approvals": Case((approval(), approval(after=90, name="later")), APPROVED, END + 30),
    "one that counts beside one that does not": Case(
        (approval(), approval(after=90, name="later", generation=7)), APPROVED, END
    ),
    "the second before its end": Case((approval(),), APPROVED, END, now=END - 1),
    "after a restart, from the same objects": Case((approval(),), APPROVED, END, now=7 * HOUR),
    # what does not
    "no approval": Case((), MISSING, says="user bob or a member of leads (who adds groups to approvedBy) can approve"),
    "one's own": Case((approval(approvedBy=by("ann", "leads")),), MISSING, says="nobody approves what they request"),
    "one's own, as a user who may": Case(
        (approval(),), MISSING, says="nobody approves what they request", access=but(requested_by="bob")
    ),
    "nobody says who requests it": Case((approval(),), MISSING, says="add the annotation", access=but(requested_by="")),
    "too late": Case((approval(after=HOUR + 1),), MISSING, says="it came too late", now=2 * HOUR),
    "its end": Case((approval(),), MISSING, says=f"it ended at {at(END)}", now=END),
    "an edited spec": Case((approval(),), MISSING, says="about generation 1, not 2", access=but(generation=2)),
    "a generation that is not there yet": Case((approval(generation=2),), MISSING, says="about generation 2, not 1"),
    "a recreated SearchAccess": Case(
        (approval(uid="uid-former"),), MISSING, says="it is about another SearchAccess"
    ),
    "another name": Case((approval(of="other"),), MISSING, says="it is about another SearchAccess"),
    "another namespace": Case((approval(meta={"namespace": "billing"}),), MISSING, says="about another SearchAccess"),
    "a user who may not": Case((approval(approvedBy=by("eve")),), MISSING, says=_NOT_NAMED),
    "a group that may not": Case((approval(approvedBy=by("eve", "others")),), MISSING, says=_NOT_NAMED),
    "a group with the name of a user who may": Case((approval(approvedBy=by("eve", "bob")),), MISSING, says=_NOT_NAMED),
    "another spelling of a user who may": Case((approval(approvedBy=by("Bob")),), MISSING, says=_NOT_NAMED),
    "being deleted": Case(
        (approval(meta={"deletionTimestamp": at(90)}),), MISSING, says="it is being deleted"
    ),
    "unreadable": Case((approval(approvedBy="bob"),), MISSING, says="it cannot be read"),
    "unreadable: a field of another version": Case((approval(only="read"),), MISSING, says="it cannot be read"),
    "without a time": Case((approval(meta={"creationTimestamp": ""}),), MISSING, says="it cannot be read"),
    "a SearchAccess of unknown age": Case((approval(),), MISSING, says="delete it", access=but(created_at="")),
    # who vouches
    "no admission policy": Case(
        (approval(),), MISSING, says="approvals do not count: it is missing", vouching=Vouching(problem="it is missing")
    ),
    "a SearchAccess from before the admission policy": Case(
        (approval(),), MISSING, says="delete it, and create it again", vouching=Vouching(CREATED + 1)
    ),
    "a SearchAccess of the moment from which the admission policy holds": Case(
        (approval(),), APPROVED, END, vouching=Vouching(CREATED)
    ),
    "not known yet, of what would count: nothing new, and nothing is taken": Case(
        (approval(),), UNKNOWN, END, vouching=NOT_READ
    ),
    "not known yet, of what would not count": Case((), MISSING, vouching=NOT_READ),
    "approvals that were not listed yet": Case((), UNKNOWN, listed=False, says="were not read yet"),
    "an approval that came before the list": Case((approval(),), APPROVED, END, listed=False),
    # several policies
    "each of two policies, by one approval": Case(
        (approval(),), APPROVED, 60 + HOUR, rules=(RULE, RULE | {"for": "1h"})
    ),
    "each of two policies, by two approvals": Case(
        (approval(), approval(approvedBy=by("carl"), name="second", after=90)),
        APPROVED, END, rules=(RULE, RULE | {"by": {"users": ["carl"]}}),
    ),
    "only one of two policies": Case(
        (approval(),), MISSING, says="SearchAccessPolicy p1 requires", rules=(RULE, RULE | {"by": {"users": ["carl"]}})
    ),
    # break-glass
    "an emergency": Case((), BREAK_GLASS, HOUR // 2, "the shop is down", access=EMERGENCY, rules=(ALLOWS_GLASS,)),
    "an emergency where no policy allows one": Case((), MISSING, says="it allows no break-glass", access=EMERGENCY),
    "an emergency that only one of two policies allows": Case(
        (), MISSING, says="SearchAccessPolicy p1", access=EMERGENCY, rules=(ALLOWS_GLASS, RULE)
    ),
    "an emergency that is over": Case(
        (), MISSING, says="the time of searchaccess.dev/break-glass is over", access=EMERGENCY, rules=(ALLOWS_GLASS,),
        now=HOUR // 2,
    ),
    "an emergency is not prolonged by an edit": Case(
        (), MISSING, says="is over", access=(*EMERGENCY, ("generation", 9)), rules=(ALLOWS_GLASS,), now=HOUR // 2
    ),
    "an edit within an emergency": Case(
        (), BREAK_GLASS, HOUR // 2, access=(*EMERGENCY, ("generation", 9)), rules=(ALLOWS_GLASS,)
    ),
    "an emergency without an admission policy": Case(
        (), BREAK_GLASS, HOUR // 2, "by somebody whom the API server did not check", access=EMERGENCY,
        rules=(ALLOWS_GLASS,), vouching=Vouching(problem="it is missing"),
    ),
    "an emergency of somebody": Case((), BREAK_GLASS, HOUR // 2, "by ann", access=EMERGENCY, rules=(ALLOWS_GLASS,)),
    "an emergency of a SearchAccess of unknown age": Case(
        (), MISSING, access=(*EMERGENCY, ("created_at", "")), rules=(ALLOWS_GLASS,)
    ),
    "no emergency without a reason": Case((), MISSING, access=but(break_glass=""), rules=(ALLOWS_GLASS,)),
    "an approval in an emergency": Case((approval(),), APPROVED, END, access=EMERGENCY, rules=(ALLOWS_GLASS,)),
    "an approval of one policy, an emergency of the other": Case(
        (approval(),), BREAK_GLASS, HOUR // 2, access=EMERGENCY,
        rules=(RULE, ALLOWS_GLASS | {"by": {"users": ["carl"]}}),
    ),
    "an emergency while the admission policy is not known": Case(
        (approval(),), BREAK_GLASS, HOUR // 2, access=EMERGENCY, rules=(ALLOWS_GLASS,), vouching=NOT_READ
    ),
    # nothing required
    "no policy requires one": Case((), ConsentState.NOT_NEEDED, rules=()),
}  # fmt: skip


def around(*approvals: dict[str, Any]) -> Around:
    return Case(approvals, MISSING).around


def demands(*rules: dict[str, Any], audits: bool = False) -> list[Demand]:
    return [Demand(f"p{at}", ApprovalRule.model_validate(rule), audits) for at, rule in enumerate(rules)]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_consent(case: Case) -> None:
    found = consent_of(case.subject, demands(*case.rules), case.around)
    assert (found.state, found.ends) == (case.expected, None if case.ends is None else CREATED + case.ends)
    assert case.says in found.message


def test_the_order_of_approvals_and_policies_does_not_matter() -> None:
    for case in CASES.values():
        turned = replace(case.around, approvals=case.around.approvals[::-1])
        found = consent_of(case.subject, demands(*case.rules)[::-1], turned)
        assert (found.state, found.ends) == (case.expected, None if case.ends is None else CREATED + case.ends)


def test_the_message_has_the_command_that_approves() -> None:
    found = consent_of(CASES["no approval"].subject, demands(RULE | {"by": {"groups": ["leads"]}}), around())
    command = found.message.partition(": kubectl create -f - <<< ")[2].strip("'")
    manifest = json.loads(command)
    assert manifest["metadata"] == {"generateName": "orders-", "namespace": "shop"}
    given = manifest["spec"]
    assert given == {
        "name": "orders", "uid": "uid-orders", "generation": 1,
        "approvedBy": {"username": "YOUR-NAME", "groups": ["leads"]},
    }  # fmt: skip
    given["approvedBy"]["username"] = "eve"
    meta = {"metadata": manifest["metadata"] | {"creationTimestamp": at(60)}}
    assert consent_of(CASES["no approval"].subject, demands(RULE), around(manifest | meta)) == Consent(
        APPROVED, CREATED + END
    )


def test_a_name_in_the_command_ends_no_quotes() -> None:
    rule = RULE | {"by": {"groups": ["lead's; reboot"]}}
    command = consent_of(CASES["no approval"].subject, demands(rule), around()).message.partition(" <<< ")[2]
    [manifest] = shlex.split(command)
    assert json.loads(manifest)["spec"]["approvedBy"]["groups"] == ["lead's; reboot"]


def test_the_longest_message_keeps_the_command_whole() -> None:
    names = ["n" * 256] * 100
    rule = RULE | {"by": {"users": names}}
    access = replace(CASES["no approval"].subject, name="o" * 253, namespace="s" * 63, requested_by="a" * 256)
    found = consent_of(access, demands(rule), around())
    assert found.message.endswith("}}'")


def test_thousands_of_approvals_that_do_not_count_are_compared_without_their_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parsed: list[str] = []

    def counted(text: str) -> float:
        parsed.append(text)
        return seconds(text)

    monkeypatch.setattr(decision, "seconds", counted)
    many = [approval(name=f"a{number}", approvedBy=by("mallory")) for number in range(1000)]
    found = consent_of(CASES["no approval"].subject, demands(RULE), around(approval(), *many))
    assert found.state is APPROVED
    assert len(parsed) < 10


def test_a_quote_in_a_name_does_not_end_the_command() -> None:
    found = consent_of(CASES["no approval"].subject, demands(RULE | {"by": {"groups": ["o'hara's"]}}), around())
    [command] = shlex.split(found.message.partition("<<< ")[2])
    assert json.loads(command)["spec"]["approvedBy"]["groups"] == ["o'hara's"]


def said_with(case: Case, said: PolicyVerdict, wanted: Sequence[Demand]) -> PolicyVerdict:
    """Return what policies say, with the approvals that they want."""
    consents = {each.policy: consent_of(case.subject, [each], case.around) for each in wanted}
    return with_approvals(said, wanted, consents)


@pytest.mark.parametrize(
    ("approvals", "outcome"), [((), Outcome.WOULD_DENY), ((approval(),), Outcome.ACCEPTED)], ids=["without", "with"]
)
def test_a_policy_that_audits_only_reports(approvals: tuple[dict[str, Any], ...], outcome: Outcome) -> None:
    case = Case(approvals, MISSING)
    verdict = PolicyVerdict((PolicyOutcome("p0", Outcome.ACCEPTED), PolicyOutcome("other", Outcome.ACCEPTED)))
    found = said_with(case, verdict, demands(RULE, audits=True))
    assert [each.outcome for each in found.outcomes] == [outcome, Outcome.ACCEPTED]


def test_a_policy_says_that_it_waits_for_an_approval_unless_it_refuses_anyway() -> None:
    case = Case((), MISSING)
    said = PolicyVerdict((PolicyOutcome("p0", Outcome.ACCEPTED), PolicyOutcome("p1", Outcome.DENIED, ("no",))))
    found = said_with(case, said, demands(RULE, RULE))
    assert [each.outcome for each in found.outcomes] == [Outcome.PENDING_APPROVAL, Outcome.DENIED]
    assert found.outcomes[0].reasons == ("approval: another person must approve it",)
    assert found.outcomes[1].reasons == ("no",)
    approved = replace(case, approvals=(approval(),))
    assert said_with(approved, said, demands(RULE)) == said


@pytest.mark.parametrize(
    ("around", "says"),
    [
        (
            {"premature": ("uid-yes",)},
            "it was given in advance, when there was no generation 2 yet, and never counts: delete it",
        ),
        ({"suspects": ("uid-yes",)}, "it is being checked whether it was given in advance"),
    ],
    ids=["certainly", "perhaps"],
)
def test_what_was_given_in_advance_does_not_count_when_its_generation_comes(around: dict[str, Any], says: str) -> None:
    case = Case((approval(generation=2),), MISSING, access=but(generation=2))
    assert consent_of(case.subject, demands(RULE), case.around).state is APPROVED
    found = consent_of(case.subject, demands(RULE), replace(case.around, **around))
    assert found.state is MISSING
    assert says in found.message


def test_only_those_who_may_approve_can_be_too_early() -> None:
    case = Case((approval(generation=2), approval(name="eve", generation=2, approvedBy=by("eve"))), MISSING)
    ahead = given_ahead(case.subject, demands(RULE), case.around.approvals)
    assert [each.name for each in ahead] == ["yes"]
    assert given_ahead(replace(case.subject, generation=2), demands(RULE), case.around.approvals) == []


def test_an_approval_is_read_whatever_it_is() -> None:
    odd: dict[str, Any]
    for odd in ({}, {"spec": None}, {"spec": []}, {"metadata": "x", "spec": {"uid": 7}}):
        assert isinstance(approval_from_object(odd), Approval)
        assert approval_from_object(odd).spec is None


def test_nothing_is_needed_by_default() -> None:
    assert an_access().consent == NOT_NEEDED
