"""What SearchAccessPolicies say of a SearchAccess."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from searchaccess.core.model.access import Access
from searchaccess.core.model.identities.identity import Identity
from searchaccess.core.model.identities.workload import Account
from searchaccess.core.model.verdict import ACCEPTED, Outcome, PolicyOutcome, PolicyVerdict
from searchaccess.core.policy.guardrails.policy import Policy, policy_from_object
from searchaccess.core.policy.guardrails.ruling import MOST_REASONS
from searchaccess.core.policy.guardrails.verdicts import Guardrails, Question
from tests.unit.builders import PRINCIPAL, a_grant, an_access

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
ORDERS: dict[str, Any] = {"cloudRunService": {"project": "acme-shop", "location": "europe-west1", "name": "orders"}}
KEY: dict[str, Any] = {"auth": "ApiKey", "credential": {"store": "main", "name": "orders-key"}}
READ_ORDERS = [{"indices": ["orders-*"], "can": ["read"]}]
MANY_ALLOWED = ["/orders-(a|b)*a(a|b){12}/", "/orders-(a|b)*b(a|b){12}/"]
Spec = Mapping[str, Any]


def a_policy(name: str = "limits", **spec: Any) -> Policy:
    return policy_from_object(
        {"metadata": {"name": name, "uid": f"uid-{name}", "generation": 1, "resourceVersion": "1"}, "spec": spec}
    )


def verdict_of(
    access: Access, *policies: Policy, labels: Mapping[str, str] | None = None, **more: Any
) -> PolicyVerdict:
    return Guardrails(policies).judge(Question(access, labels, NOW, **more))


def reasons_of(access: Access, **spec: Any) -> tuple[str, ...]:
    verdict = verdict_of(access, a_policy(**spec))
    assert not verdict.unknown
    return tuple(reason for outcome in verdict.outcomes for reason in outcome.reasons)


def accounted(access: Access, *emails: str) -> Access:
    """Return a SearchAccess whose workload runs as these accounts."""
    return replace(access, identity=Identity(tuple(Account(email, "") for email in emails)), principals=emails)


# Each: grants of the SearchAccess, spec of the policy.
ACCEPTED_BY: dict[str, tuple[list[Spec], Spec]] = {
    "the allowed pattern": ([a_grant("orders-*")], {"allow": READ_ORDERS}),
    "a name of it": ([a_grant("orders-1")], {"allow": READ_ORDERS}),
    "two rules together": (
        [a_grant("/orders-(eu|us)/")],
        {"allow": [{"indices": ["orders-eu"], "can": ["read"]}, {"indices": ["orders-us"], "can": ["read"]}]},
    ),
    "the namespace's own indices": (
        [a_grant("shop-orders-*")],
        {"allow": [{"indices": ["{namespace}-*"], "can": ["read"]}]},
    ),
    "append where write is allowed": (
        [a_grant("orders-1", can=["append"])],
        {"allow": [{"indices": ["orders-*"], "can": ["write"]}]},
    ),
    "a privilege that is allowed by its name": (
        [a_grant("orders-1", can=[], privileges=["read"])],
        {"allow": [{"indices": ["orders-*"], "privileges": ["read"]}]},
    ),
    "an index that is not denied": ([a_grant("orders-1")], {"deny": [{"indices": ["*-pii"]}]}),
    "another action than the denied one": (
        [a_grant("orders-*", can=["append"])],
        {"deny": [{"indices": ["*"], "can": ["write", "delete"]}]},
    ),
    "hidden fields that are excluded": (
        [a_grant(fields={"exclude": ["customer"]})],
        {"require": {"hiddenFields": ["customer.ssn"]}},
    ),
    "hidden fields that are not included": (
        [a_grant(fields={"include": ["region", "amount"]})],
        {"require": {"fields": True, "hiddenFields": ["customer.ssn", "email*"]}},
    ),
    "nothing to hide where nothing is read": (
        [a_grant(can=["append"])],
        {"require": {"fields": True, "where": True, "hiddenFields": ["customer.ssn"]}},
    ),
    "a query": ([a_grant(where={"term": {"region": "eu"}})], {"require": {"where": True}}),
    "enough characters before the wildcard": ([a_grant("orders-*", "logs")], {"limits": {"literalPrefix": 7}}),
}


@pytest.mark.parametrize("case", ACCEPTED_BY)
def test_accepted(case: str) -> None:
    grants, spec = ACCEPTED_BY[case]
    assert verdict_of(an_access(grants=grants), a_policy(**spec)) == PolicyVerdict(
        (PolicyOutcome("limits", Outcome.ACCEPTED),)
    )


def denial(grant: int, what: str, pattern: str, denied: str) -> str:
    return (
        f"grants[{grant}]: {what} on {pattern} is denied, as it can match what {denied} matches: name indices of which "
        "none is denied"
    )


# Each: grants of the SearchAccess, spec of the policy, what is said.
REFUSED_BY: dict[str, tuple[list[Spec], Spec, str]] = {
    "a wider pattern": (
        [a_grant("*")],
        {"allow": READ_ORDERS},
        "grants[0]: read is allowed only on orders-*, not on *; * also matches a",
    ),
    "the parent of the allowed one": (
        [a_grant("orders*")],
        {"allow": READ_ORDERS},
        "grants[0]: read is allowed only on orders-*, not on orders*; orders* also matches orders",
    ),
    "another index": (
        [a_grant("logs")],
        {"allow": READ_ORDERS},
        "grants[0]: read is allowed only on orders-*, not on logs",
    ),
    "another action": (
        [a_grant("orders-1", can=["read", "delete"])],
        {"allow": READ_ORDERS},
        "grants[0]: delete is not allowed on any index",
    ),
    "write where append is allowed": (
        [a_grant("orders-1", can=["write"])],
        {"allow": [{"indices": ["orders-*"], "can": ["append"]}]},
        "grants[0]: write is not allowed on any index",
    ),
    "a privilege that is named as an action": (
        [a_grant("orders-1", can=[], privileges=["read"])],
        {"allow": READ_ORDERS},
        "grants[0]: privilege read is not allowed on any index",
    ),
    "a privilege that has everything": (
        [a_grant("orders-1", privileges=["all"])],
        {"allow": READ_ORDERS},
        "grants[0]: privilege all is not allowed on any index",
    ),
    "another namespace's indices": (
        [a_grant("bank-1")],
        {"allow": [{"indices": ["{namespace}-*"], "can": ["read"]}]},
        "grants[0]: read is allowed only on shop-*, not on bank-1",
    ),
    "the namespace as the beginning of another": (
        [a_grant("shop*")],
        {"allow": [{"indices": ["{namespace}-*"], "can": ["read"]}]},
        "grants[0]: read is allowed only on shop-*, not on shop*; shop* also matches shop",
    ),
    "a pattern that is too complicated": (
        [a_grant("/orders-[ab]{20}/")],
        {"allow": [{"indices": MANY_ALLOWED, "can": ["read"]}]},
        "grants[0]: /orders-[ab]{20}/ is too complicated to compare with what is allowed: write names or wildcards",
    ),
    "a denied index in a wildcard": (
        [a_grant("logs"), a_grant("orders-*")],
        {"deny": [{"indices": ["*-pii"]}]},
        denial(1, "read", "orders-*", "*-pii"),
    ),
    "a backing index of a denied data stream": (
        [a_grant(".ds-orders-2026.01.01-000001")],
        {"deny": [{"indices": ["orders"]}]},
        denial(0, "read", ".ds-orders-2026.01.01-000001", "orders"),
    ),
    "manage where delete is denied": (
        [a_grant("orders-*", can=["manage"])],
        {"deny": [{"indices": ["orders-*"], "can": ["delete"]}]},
        denial(0, "manage", "orders-*", "orders-*"),
    ),
    "a privilege where an action is denied": (
        [a_grant("orders-*", can=[], privileges=["maintenance"])],
        {"deny": [{"indices": ["orders-*"], "can": ["read"]}]},
        denial(0, "privilege maintenance", "orders-*", "orders-*"),
    ),
    "no fields": (
        [a_grant()],
        {"require": {"fields": True}},
        "grants[0]: fields is required: list in fields.include the fields that may be read",
    ),
    "no fields beside a privilege": (
        [a_grant(can=[], privileges=["read"])],
        {"require": {"fields": True}},
        "grants[0]: fields is required: list in fields.include the fields that may be read",
    ),
    "no query": (
        [a_grant()],
        {"require": {"where": True}},
        "grants[0]: where is required: a query for the documents that may be read",
    ),
    "a field that may not be shown": (
        [a_grant(fields={"include": ["customer.*"], "exclude": ["customer.name"]})],
        {"require": {"hiddenFields": ["customer.ssn"]}},
        "grants[0]: customer.ssn may not be read: add it to fields.exclude",
    ),
    "a field that may be below one that is shown": (
        [a_grant(fields={"include": ["region"]})],
        {"require": {"hiddenFields": ["*.email"]}},
        "grants[0]: *.email may not be read: add it to fields.exclude",
    ),
    "a part of a field that may not be shown": (
        [a_grant(fields={"exclude": ["customer.ssn.raw"]})],
        {"require": {"hiddenFields": ["customer.ssn"]}},
        "grants[0]: customer.ssn may not be read: add it to fields.exclude",
    ),
    "a regular expression": (
        [a_grant("/orders-[0-9]+/")],
        {"limits": {"regularExpressions": False}},
        "grants[0]: /orders-[0-9]+/: regular expressions are not accepted: write names or wildcards",
    ),
    "a broad wildcard": (
        [a_grant("ord*")],
        {"limits": {"literalPrefix": 6}},
        "grants[0]: ord*: write at least 6 characters before the first wildcard",
    ),
    "a wildcard by a regular expression": (
        [a_grant("/orders.*/")],
        {"limits": {"literalPrefix": 3}},
        "grants[0]: /orders.*/: write at least 3 characters before the first wildcard",
    ),
    "too many grants": ([a_grant("a"), a_grant("b")], {"limits": {"grants": 1}}, "grants: 2 are more than 1"),
    "too many patterns": (
        [a_grant("a", "b"), a_grant("c")],
        {"limits": {"patterns": 2}},
        "grants: 3 index names and patterns are more than 2",
    ),
    "raw privileges": (
        [a_grant(privileges=["maintenance"])],
        {"limits": {"privileges": False}},
        "grants[0]: privileges are not accepted: write actions in can",
    ),
    "another remote cluster": (
        [a_grant(remoteClusters=["us", "eu-1"])],
        {"limits": {"remoteClusters": ["eu-*"]}},
        "grants[0].remoteClusters: us is not accepted: write eu-*",
    ),
    "every remote cluster": (
        [a_grant(remoteClusters=["*"])],
        {"limits": {"remoteClusters": ["eu-*"]}},
        "grants[0].remoteClusters: * is not accepted: write eu-*",
    ),
}


@pytest.mark.parametrize("case", REFUSED_BY)
def test_refused(case: str) -> None:
    grants, spec, reason = REFUSED_BY[case]
    assert reasons_of(an_access(grants=grants), **spec) == (reason,)


# Each: spec of the SearchAccess, spec of the policy, what is said.
REFUSED_SPECS: dict[str, tuple[Spec, Spec, str]] = {
    "another way to log in": (
        KEY,
        {"require": {"auth": ["IdentityToken"]}},
        "auth: ApiKey is not accepted: write IdentityToken",
    ),
    "a rotation that is too rare": (
        KEY,
        {"require": {"rotateEvery": "168h"}},
        "credential.rotateEvery: 720h is more than 168h",
    ),
    "no ticket": (
        {"annotations": {"example.com/ticket": ""}},
        {"require": {"annotations": ["example.com/ticket"]}},
        "metadata.annotations: example.com/ticket is required",
    ),
    "another mode": ({}, {"require": {"mode": "Observe"}}, "mode: Enforce is not accepted: write Observe"),
    "a cluster privilege": (
        {"clusterCan": ["monitor", "manage_ilm"]},
        {"limits": {"clusterCan": ["monitor"]}},
        "clusterCan: manage_ilm is not accepted",
    ),
    "any cluster privilege": (
        {"clusterCan": ["monitor"]},
        {"limits": {"clusterCan": []}},
        "clusterCan: monitor is not accepted",
    ),
    "Kibana": (
        {"kibana": [{"spaces": ["default"], "base": "read"}]},
        {"limits": {"kibana": False}},
        "kibana is not accepted",
    ),
    "rights that stay": (
        {"deletionPolicy": "Orphan"},
        {"limits": {"deletionPolicies": ["Delete", "Disable"]}},
        "deletionPolicy: Orphan is not accepted: write Delete, Disable",
    ),
    "adoption": (
        {"annotations": {"searchaccess.dev/adopt": "role@0123456789abcdef"}},
        {"limits": {"adopt": False}},
        "metadata.annotations: searchaccess.dev/adopt is not accepted",
    ),
    "another store": (KEY, {"limits": {"secretStores": ["vault"]}}, "credential.store: main is not accepted"),
    "another namespace's secret": (
        KEY,
        {"limits": {"secretNames": ["{namespace}-*"]}},
        "credential.name: orders-key is not accepted: write shop-*",
    ),
    "an account of another project": (
        {},
        {"subjects": [{"projects": ["acme-bank"]}]},
        "subject: this workload or service account may not be named in this namespace",
    ),
    "another account": (
        {},
        {"subjects": [{"serviceAccounts": ["{namespace}-*@acme-shop.iam.gserviceaccount.com"]}]},
        "subject: this workload or service account may not be named in this namespace",
    ),
    "an account where a region is wanted": (
        {},
        {"subjects": [{"projects": ["acme-shop"], "locations": ["europe-*"]}]},
        "subject: this workload or service account may not be named in this namespace",
    ),
    "a default compute account, which names no project": (
        {"service_account": "123-compute@developer.gserviceaccount.com"},
        {"subjects": [{"projects": ["*"]}]},
        "subject: this workload or service account may not be named in this namespace",
    ),
    "a workload's account that is not known with a key": (
        {"subject": ORDERS, **KEY},
        {"subjects": [{"serviceAccounts": ["*"]}]},
        "subject: this workload or service account may not be named in this namespace",
    ),
}


@pytest.mark.parametrize("case", REFUSED_SPECS)
def test_refused_beside_grants(case: str) -> None:
    given, spec, reason = REFUSED_SPECS[case]
    assert reasons_of(an_access(**given), **spec) == (reason,)


@pytest.mark.parametrize(
    "subjects",
    [
        pytest.param([{"projects": ["acme-*"]}], id="its project"),
        pytest.param([{"projects": ["acme-{namespace}"]}], id="the namespace's project"),
        pytest.param([{"projects": ["other"]}, {"serviceAccounts": [PRINCIPAL]}], id="one of several"),
    ],
)
def test_subjects_that_may_be_named(subjects: list[Spec]) -> None:
    assert reasons_of(an_access(), subjects=subjects) == ()


def test_an_app_engine_account_is_of_the_project_that_it_names() -> None:
    access = an_access(service_account="acme-shop@appspot.gserviceaccount.com")

    assert reasons_of(access, subjects=[{"projects": ["acme-{namespace}"]}]) == ()
    assert reasons_of(access, subjects=[{"projects": ["appspot"]}, {"projects": ["acme"]}]) != ()


def test_a_workload_and_its_account_must_both_be_of_an_accepted_project() -> None:
    access, subjects = an_access(subject=ORDERS), [{"projects": ["acme-shop"], "locations": ["europe-*"]}]

    assert reasons_of(accounted(access, PRINCIPAL), subjects=subjects) == ()
    assert reasons_of(accounted(access, "1-compute@developer.gserviceaccount.com"), subjects=subjects) == ()
    assert reasons_of(accounted(access, PRINCIPAL, "x@bank.iam.gserviceaccount.com"), subjects=subjects) != ()


def test_nothing_is_refused_while_it_depends_on_an_account_that_is_not_known_yet() -> None:
    access, policy = an_access(subject=ORDERS), a_policy(subjects=[{"serviceAccounts": [PRINCIPAL]}])

    assert verdict_of(access, policy).unknown == "the service account behind the subject is not known"
    assert not verdict_of(access, policy).refused
    assert verdict_of(accounted(access, PRINCIPAL), policy).outcomes[0].outcome is Outcome.ACCEPTED
    assert verdict_of(accounted(access, "x@bank.iam.gserviceaccount.com"), policy).refused


REFUSES: dict[str, Any] = {"allow": READ_ORDERS}
OTHER = a_grant("logs")


@pytest.mark.parametrize(
    ("match", "applies"),
    [
        pytest.param({"clusters": ["prod"]}, True, id="its cluster"),
        pytest.param({"clusters": ["test"]}, False, id="another cluster"),
        pytest.param({"namespaces": {"names": ["shop"]}}, True, id="its namespace"),
        pytest.param({"namespaces": {"names": ["bank"]}}, False, id="another namespace"),
        pytest.param({"namespaces": {"selector": {"matchLabels": {"tier": "prod"}}}}, True, id="the namespace's label"),
        pytest.param({"namespaces": {"selector": {"matchLabels": {"tier": "test"}}}}, False, id="another label"),
        pytest.param({"subjects": [{"projects": ["acme-*"]}]}, True, id="its project"),
        pytest.param({"subjects": [{"projects": ["bank-*"]}]}, False, id="another project"),
        pytest.param({"labels": {"matchLabels": {"workload": "ai-agent"}}}, True, id="its own label"),
        pytest.param({"labels": {"matchLabels": {"workload": "batch"}}}, False, id="another label of its own"),
        pytest.param({"clusters": ["prod"], "namespaces": {"names": ["bank"]}}, False, id="not all of it"),
    ],
)
def test_a_policy_applies_where_all_of_match_holds(match: Spec, *, applies: bool) -> None:
    access = replace(an_access(grants=[OTHER]), labels=(("workload", "ai-agent"),))

    verdict = verdict_of(access, a_policy(match=match, **REFUSES), labels={"tier": "prod"})

    assert verdict.refused is applies
    assert bool(verdict.outcomes) is applies


def test_nothing_is_decided_while_labels_of_the_namespace_are_not_known() -> None:
    policy = a_policy(match={"namespaces": {"selector": {"matchLabels": {"tier": "prod"}}}}, **REFUSES)

    verdict = verdict_of(an_access(grants=[OTHER]), policy, labels=None)

    assert verdict.unknown
    assert not verdict.refused
    assert Guardrails([policy]).needs_labels


def test_every_policy_that_applies_must_accept() -> None:
    access = an_access(grants=[OTHER])
    accepting, refusing = a_policy("a", deny=[{"indices": ["x"]}]), a_policy("b", **REFUSES)

    verdict = verdict_of(access, refusing, accepting)

    assert [(each.policy, each.outcome) for each in verdict.outcomes] == [
        ("a", Outcome.ACCEPTED),
        ("b", Outcome.DENIED),
    ]
    assert verdict.refused
    assert verdict.revokes


def test_rights_stay_only_if_all_that_refuse_it_keep_them() -> None:
    access = an_access(grants=[OTHER])
    keeping, revoking = a_policy("a", onViolation="Keep", **REFUSES), a_policy("b", **REFUSES)

    assert verdict_of(access, keeping).refused
    assert not verdict_of(access, keeping).revokes
    assert verdict_of(access, keeping, revoking).revokes


def test_a_policy_that_audits_refuses_nothing_and_says_what_it_would() -> None:
    verdict = verdict_of(an_access(grants=[OTHER]), a_policy(mode="Audit", **REFUSES))

    assert [each.outcome for each in verdict.outcomes] == [Outcome.WOULD_DENY]
    assert verdict.outcomes[0].reasons
    assert not verdict.refused


def test_a_policy_that_cannot_be_read_refuses_everything_and_revokes_nothing() -> None:
    unreadable = policy_from_object({"metadata": {"name": "later", "uid": "u"}, "spec": {"allow": [], "later": 1}})

    verdict = verdict_of(an_access(), unreadable)

    assert verdict.refused
    assert not verdict.revokes
    assert "cannot be read" in verdict.outcomes[0].reasons[0]


def test_before_policies_were_read_nothing_is_decided() -> None:
    verdict = Guardrails(None).judge(Question(an_access(), {}, NOW))

    assert verdict.unknown
    assert not verdict.refused


def test_without_policies_everything_is_accepted_unless_the_cluster_wants_one() -> None:
    assert verdict_of(an_access()) is ACCEPTED
    assert verdict_of(an_access(), wanted=True).refused
    assert verdict_of(an_access(), wanted=True).revokes
    applying = a_policy(deny=[{"indices": ["x"]}])
    assert not verdict_of(an_access(), applying, wanted=True).refused


def an_exception(until: str, name: str = "orders") -> Spec:
    return {"namespace": "shop", "name": name, "reason": "until the migration", "until": until}


@pytest.mark.parametrize(
    ("exception", "outcome"),
    [
        pytest.param(an_exception("2026-06-01T12:00:01Z"), Outcome.EXEMPT, id="before its end"),
        pytest.param(an_exception("2026-06-01T12:00:00Z"), Outcome.DENIED, id="at its end"),
        pytest.param(an_exception("2026-06-01T13:59:59+02:00"), Outcome.DENIED, id="in another time zone"),
        pytest.param(an_exception("2027-01-01T00:00:00Z", "other"), Outcome.DENIED, id="of another SearchAccess"),
    ],
)
def test_an_exception_ends(exception: Spec, outcome: Outcome) -> None:
    verdict = verdict_of(an_access(grants=[OTHER]), a_policy(exceptions=[exception], **REFUSES))

    assert [each.outcome for each in verdict.outcomes] == [outcome]


def test_the_next_end_of_an_exception_is_known() -> None:
    early, late = an_exception("2026-06-01T12:00:01Z"), an_exception("2026-07-01T00:00:00Z")
    past = an_exception("2026-01-01T00:00:00Z")

    guardrails = Guardrails(
        [a_policy(exceptions=[late, past], **REFUSES), a_policy("b", exceptions=[early], **REFUSES)]
    )

    assert guardrails.next_end(NOW) == datetime(2026, 6, 1, 12, 0, 1, tzinfo=UTC)
    assert guardrails.next_end(datetime(2027, 1, 1, tzinfo=UTC)) is None


def test_only_the_first_violations_are_listed() -> None:
    grants = [a_grant(f"logs-{number}") for number in range(MOST_REASONS + 3)]

    reasons = reasons_of(an_access(grants=grants), **REFUSES)

    assert len(reasons) == MOST_REASONS + 1
    assert reasons[-1] == "and more"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        pytest.param({}, "spec: say what is allowed", id="nothing"),
        pytest.param({"allow": [{"indices": ["/(/"], "can": ["read"]}]}, "spec.allow[0].indices: '/(/'", id="pattern"),
        pytest.param(
            {"exceptions": [an_exception("tomorrow")], **REFUSES}, "spec.exceptions[0].until: 'tomorrow'", id="no time"
        ),
        pytest.param(
            {"exceptions": [an_exception("2027-01-01T00:00:00")], **REFUSES},
            "not a time with a time zone",
            id="no zone",
        ),
        pytest.param({"deny": None, **REFUSES}, "spec.deny: null is not a value", id="a null that denies nothing"),
        pytest.param({"match": {}, **REFUSES}, "spec.match: say which SearchAccesses", id="an empty match"),
    ],
)
def test_what_is_wrong_with_a_policy_is_said(spec: Spec, message: str) -> None:
    policy = a_policy(**spec)

    assert policy.spec is None
    assert message in policy.invalid
