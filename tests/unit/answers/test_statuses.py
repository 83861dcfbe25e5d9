"""What `searchaccess status` says of a SearchAccess, from the object and its status."""

from collections.abc import Iterator
from typing import Any

import pytest

from searchaccess.core.answers.statuses.overview import Wanted, chosen, counted
from searchaccess.core.answers.statuses.report import Report, report_of
from searchaccess.core.answers.statuses.tree import Mark, Node, tree_of
from searchaccess.core.answers.statuses.versions import clusters_of, operators_of, served_of
from searchaccess.core.model.parsing import access_from_object
from searchaccess.core.status.credential import epoch
from tests.unit.builders import LATER, NOW, a_grant, a_search_access, a_search_cluster

AT = 1767261600.0
"""NOW, in seconds since the epoch."""
HOUR = 3600.0


def condition(kind: str, status: str, reason: str, message: str = "") -> dict[str, Any]:
    said = {"type": kind, "status": status, "reason": reason, "message": message}
    return said | {"lastTransitionTime": NOW, "observedGeneration": 1}


def ready(status: str = "True", reason: str = "InSync", **more: Any) -> dict[str, Any]:
    return {"observedGeneration": 1, "conditions": [condition("Ready", status, reason, more.pop("message", ""))]} | more


def a_report(name: str = "orders", status: dict[str, Any] | None = None, **more: Any) -> Report:
    raw = a_search_access(name, status=status, **more)
    return report_of(access_from_object(raw), raw)


def lines(node: Node, depth: int = 0) -> Iterator[tuple[int, str, Mark]]:
    yield depth, node.text, node.mark
    for below in node.below:
        yield from lines(below, depth + 1)


def shown(report: Report) -> list[str]:
    return [f"{'  ' * depth}{mark}{'|' if mark else ''}{text}" for depth, text, mark in lines(tree_of(report))]


def test_what_is_as_declared_is_short() -> None:
    status = ready(
        access="r orders-*",
        elasticsearch={"role": "searchaccess.default.orders", "clusterUuid": "u", "specHash": "h"},
        drift={"open": 0, "detected": 2, "corrected": 2, "items": []},
    )
    assert shown(a_report(status=status)) == [
        "SearchAccess shop/orders on SearchCluster prod",
        f"  good|ready: InSync since {NOW}",
        "  subject: orders@acme-shop.iam.gserviceaccount.com",
        "  role: searchaccess.default.orders (r orders-*)",
        "    orders-*: read, view_index_metadata",
        "  good|drift: none open; 2 detected so far, 2 corrected",
    ]


def test_the_tree_goes_from_the_workload_to_its_role() -> None:
    identity = {
        "principal": "orders@acme-shop.iam.gserviceaccount.com",
        "workload": "projects/p/locations/l/services/orders",
        "serviceAccount": "orders@acme-shop.iam.gserviceaccount.com",
        "revisions": [{"name": "orders-2", "percent": 90, "tag": "new"}],
        "outgoing": [{"serviceAccount": "old@acme-shop.iam.gserviceaccount.com"}],
        "sharedWith": ["projects/p/locations/l/services/other"],
        "missingSince": LATER,
    }
    grants = [a_grant("orders-*", where={"term": {"region": "eu"}}, fields={"include": ["a"], "exclude": ["a.b"]})]
    text = shown(a_report(status=ready(identity=identity, subject="orders.l.p"), grants=grants, clusterCan=["monitor"]))
    assert text[2:-1] == [
        "  subject: orders.l.p",
        "    workload: projects/p/locations/l/services/orders",
        "    revision: orders-2 (90 %, tag new)",
        "    service account: orders@acme-shop.iam.gserviceaccount.com",
        "    principal in Elasticsearch: orders@acme-shop.iam.gserviceaccount.com",
        "    shared with: projects/p/locations/l/services/other",
        "    warn|outgoing: old@acme-shop.iam.gserviceaccount.com has the access too, until it serves no more",
        f"    bad|Cloud Run has no such workload since {LATER}",
        "  role: none yet (r~ orders-* +cluster)",
        "    orders-*: read, view_index_metadata",
        '      where: {"term":{"region":"eu"}}',
        "      fields: a, a.* except a.b, a.b.*",
    ]
    assert text[-1] == "    cluster: monitor"


def test_what_is_wrong_comes_with_its_next_step() -> None:
    items = [{"object": "role/r", "path": "indices", "want": "1", "have": "", "firstSeen": NOW, "action": "Reported"}]
    status = ready("False", "DriftDetected", message="somebody changed it", drift={"open": 1, "items": items})
    status["conditions"] += [
        condition("Exclusive", "False", "GrantedByOthers", "role mapping x"),
        condition("Bypassable", "True", "Pipelines", "it may read more"),
        condition("PolicyAccepted", "True", "Accepted"),
        condition("CredentialReady", "False", "NoVersion", "the secret has none"),
    ]
    policy = {"name": "eu", "outcome": "Denied", "reasons": ["index x"]}
    status |= {
        "effectivePolicy": [policy],
        "validity": {"state": "Expired"},
        "limits": {"requestsPerSecond": 5, "maxBody": "1Mi", "apis": [], "limitedBy": ["shop/other"]},
    }
    text = shown(a_report(status=status, mode="Observe", generation=2, deleted_at=LATER))
    assert text[1:4] == [f"  bad|not ready: DriftDetected since {NOW}", "    somebody changed it", text[3]]
    assert text[3].startswith("    next: ")
    for expected in (
        "  warn|mode: Observe",
        "  warn|the status is of an earlier version of it: the operator has not seen the last edit yet",
        f"  warn|is being deleted since {LATER}",
        "  bad|credential (IdentityToken): NoVersion",
        "  warn|time box: Expired",
        "    bad|eu: Denied",
        "      index x",
        "  bad|drift: 1 open",
        "      want 1",
        "      have nothing",
        "  bad|exclusive: False (GrantedByOthers)",
        "    requests: 5 a second, 5 at once",
        "    APIs: none",
        "  warn|Bypassable: True (Pipelines)",
    ):
        assert expected in text
    assert not [line for line in text if "PolicyAccepted" in line]


def test_a_status_that_nobody_can_read_is_no_failure() -> None:
    report = a_report(status={"conditions": "nonsense", "drift": 7})
    assert (report["ready"], report["current"], report["drift"]) == ("Unknown", False, None)
    assert shown(report)[1:3] == ["  warn|not known: no status yet", "    the operator has not reported on it yet"]


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (Wanted(), ["broken", "drifted", "ending", "fine", "key"]),
        (Wanted(cluster="prod", not_ready=True), ["broken"]),
        (Wanted(not_ready=True), ["broken", "drifted"]),
        (Wanted(drifted=True), ["drifted"]),
        (Wanted(cluster="none"), []),
        (Wanted(ends_before=AT + HOUR), ["ending", "key"]),
        (Wanted(ends_before=AT + HOUR - 1), ["key"]),
    ],
    ids=str,
)
def test_an_overview_shows_what_is_wanted(wanted: Wanted, names: list[str]) -> None:
    overdue = {"store": "s", "name": "n", "version": 1, "phase": "Active", "issued": NOW}
    reports = [
        a_report("fine", ready(), validUntil="2027-01-01T00:00:00Z"),
        a_report("key", ready(credential=overdue | {"expires": NOW, "nextRotation": NOW})),
        a_report("ending", ready(), validUntil=LATER),
        a_report("drifted", ready(drift={"open": 2}), cluster="other", generation=2),
        a_report("broken", ready("False", "InvalidSpec")),
    ]
    assert [report["name"] for report in chosen(reports, wanted, AT)] == names
    assert counted(reports, 2) == "5 SearchAccesses: 4 ready, 1 drifted, 3 not shown"
    assert counted(reports[:1], 1) == "1 SearchAccess: 1 ready, 0 drifted"


def test_the_end_of_an_approval_is_that_of_the_status_where_approvals_may_not_be_read() -> None:
    validity = {"state": "Active", "nextChange": LATER}
    assert a_report(status=ready(validity=validity))["ends"] == LATER
    assert a_report(status=ready(validity=validity | {"state": "NotYetValid"}))["ends"] is None
    schedule = {"cron": "0 8 * * *", "timeZone": "UTC", "duration": "1h"}
    assert a_report(status=ready(validity=validity), schedule=schedule)["ends"] is None


def deployment(name: str, image: str, **more: Any) -> dict[str, Any]:
    containers = [{"name": "proxy", "image": "envoy:1"}, {"name": "operator", "image": image}]
    spec = {"replicas": 2, "template": {"spec": {"containers": containers}}}
    return {"metadata": {"namespace": "system", "name": name}, "spec": spec, "status": {"readyReplicas": 1}} | more


def test_the_version_of_an_operator_is_that_of_its_image() -> None:
    digest = "@sha256:" + "0" * 64
    labels = {"namespace": "system", "name": "c", "labels": {"app.kubernetes.io/version": "0.2.0"}}
    found = operators_of(
        [
            deployment("b", f"registry:5000/searchaccess-operator:0.1.0{digest}"),
            deployment("a", f"registry:5000/searchaccess-operator{digest}"),
            deployment("c", f"searchaccess-operator{digest}", metadata=labels),
            deployment("other", "something:1"),
            {"spec": "nonsense"},
        ]
    )
    assert [(one["name"], one["version"], one["ready"], one["replicas"]) for one in found] == [
        ("a", None, 1, 2),
        ("b", "0.1.0", 1, 2),
        ("c", "0.2.0", 1, 2),
    ]


def test_versions_of_clusters_and_kinds_come_from_kubernetes() -> None:
    status = {"version": "9.1.0", "license": "basic", "conditions": [condition("Ready", "True", "Reachable")]}
    [first, second] = clusters_of([a_search_cluster("prod") | {"status": status}, a_search_cluster("dev")])
    assert first == {"name": "dev", "elasticsearch": None, "license": None, "ready": "Unknown", "reason": None}
    assert (second["elasticsearch"], second["license"], second["ready"]) == ("9.1.0", "basic", "True")
    versions = [{"version": "v1alpha1"}, {"version": "v1"}, "nonsense"]
    assert served_of({"versions": versions, "preferredVersion": {"version": "v1"}}) == ["v1", "v1alpha1"]


def test_who_else_gives_rights_is_told_one_by_one() -> None:
    source = {"reason": "BroaderThanDeclared", "kind": "RoleMapping", "name": "ops", "role": "r", "message": "m"}
    said = condition("Exclusive", "False", "BroaderThanDeclared", "m")
    found = a_report(status=ready(exclusive={"sources": [source]}) | {"conditions": [said]})["exclusive"]
    assert found["sources"] == [source]
    assert found["condition"]["reason"] == "BroaderThanDeclared"
    assert a_report(status=ready())["exclusive"] is None


def used(last: str | None, since: str, until: str | None) -> Report:
    usage = {"observedAt": since, "since": since} | ({"lastUsed": last} if last else {})
    raw = a_search_access(status=ready(usage=usage))
    return report_of(access_from_object(raw), raw, until)


JANUARY, FEBRUARY, MARCH = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"


@pytest.mark.parametrize(
    ("report", "unused"),
    [
        (a_report(), False),
        (used(None, JANUARY, MARCH), True),
        (used(None, FEBRUARY, MARCH), True),
        (used(None, "2026-02-02T00:00:00Z", MARCH), False),
        (used("2026-01-10T00:00:00Z", JANUARY, MARCH), True),
        (used("2026-01-31T23:30:00Z", JANUARY, MARCH), False),
        (used("2026-02-10T00:00:00Z", JANUARY, MARCH), False),
        (used(None, JANUARY, FEBRUARY), False),
        (used(None, JANUARY, None), False),
    ],
    ids=["not known", "never", "just as long", "known for less", "long ago", "within the hour", "since",
         "not read since", "not read"],
)  # fmt: skip
def test_only_what_was_certainly_not_used_is_unused(report: Report, unused: bool) -> None:  # noqa: FBT001 - a case
    now, since = epoch(MARCH), epoch(FEBRUARY)
    assert (chosen([report], Wanted(unused_since=since), now) == [report]) is unused


def test_nothing_is_unused_in_a_time_of_which_nothing_is_known() -> None:
    now, day = epoch(MARCH), 86400.0
    report = used(None, JANUARY, "2026-02-27T00:00:00Z")
    assert chosen([report], Wanted(unused_since=now - 30 * day), now) == [report]
    assert chosen([report], Wanted(unused_since=now - day), now) == []


def test_a_tree_says_when_it_was_last_used() -> None:
    assert "  last used: 2026-02-01T00:00:00Z" in shown(used(FEBRUARY, JANUARY, MARCH))
    known = "    uses are known since 2026-01-01T00:00:00Z, until 2026-03-01T00:00:00Z, to a day"
    assert known in shown(used(FEBRUARY, JANUARY, MARCH))
    assert "  not used since 2026-01-01T00:00:00Z" in shown(used(None, JANUARY, MARCH))
    assert known in shown(used(None, JANUARY, MARCH))
    assert known.replace("until 2026-03-01T00:00:00Z, to a day", "and it is not known until when") in shown(
        used(None, JANUARY, None)
    )
