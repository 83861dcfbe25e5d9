"""Plans against roles, and against a dry run of the loop."""

from dataclasses import replace
from typing import Any

from searchaccess.cli.plans.markdown import markdown_of
from searchaccess.cli.plans.text import lines_of
from searchaccess.core.answers.changes import Change, change_of_role
from searchaccess.core.answers.exits import Exit
from searchaccess.core.answers.plan.live import Found, plan_of_run, plan_with_roles
from searchaccess.core.answers.plan.model import Kind, Object, ObjectChange, Plan
from searchaccess.core.answers.plan.stated import Declared
from searchaccess.core.answers.summary import Line, Summary
from searchaccess.core.model.access import Access
from searchaccess.core.model.canonical import role_from_json
from searchaccess.core.rights.attribution import Shares
from searchaccess.core.rights.compose import compose
from searchaccess.core.rights.ownership import Role, RoleMetadata
from searchaccess.operator.answers.declaring import declared_by
from tests.unit.answers.plan.manifests import Stopped, an_access
from tests.unit.builders import OPERATOR, PRINCIPAL, a_grant, a_member
from tests.unit.builders import an_access as as_core

WORKLOAD = {"cloudRunService": {"project": "acme-shop", "location": "europe-west1", "name": "orders"}}


def a_role(*accesses: Access) -> Role:
    """Return a role as the operator writes it."""
    found = compose(OPERATOR, PRINCIPAL, [a_member(each) for each in accesses], None, RoleMetadata(PRINCIPAL), Shares())
    assert found is not None
    return Role(found.name, role_from_json(found.to_json()), found.metadata)


def compared(files: list[Any], *roles: Role) -> Plan:
    found = Found()
    found.add("prod", "default", roles)
    return plan_with_roles(declared_by(files, clock=Stopped()), found, {"prod"})


def test_files_that_say_what_a_role_has_change_nothing() -> None:
    grants = [a_grant("orders-*", where={"term": {"region": "eu"}})]
    plan = compared([an_access(grants=grants)], a_role(as_core(grants=grants)))
    assert (plan.roles, plan.code, plan.against) == ((), Exit.IN_SYNC, "elasticsearch")


def test_what_is_not_in_the_files_stays_and_counts_as_before() -> None:
    role = a_role(as_core("orders", grants=[a_grant("orders-1*")]), as_core("wide", grants=[a_grant("orders-*")]))
    plan = compared([an_access("orders", grants=[a_grant("orders-2*")])], role)
    assert [(change.kind, change.gains, change.losses) for change in plan.roles] == [(Kind.SAME, (), ())]
    plan = compared([an_access("orders", grants=[a_grant("logs")])], role)
    assert [change.kind for change in plan.roles] == [Kind.WIDENED]


def test_rights_that_somebody_added_count_as_before() -> None:
    role = a_role(as_core("orders", grants=[a_grant("orders")]))
    body = role.body.to_json()
    body["indices"].append({"names": ["added"], "privileges": ["read", "view_index_metadata"]})
    plan = compared(
        [an_access("orders", grants=[a_grant("added")])], Role(role.name, role_from_json(body), role.metadata)
    )
    assert [(change.kind, [gain.indices for gain in change.losses]) for change in plan.roles] == [
        (Kind.NARROWED, ["orders"])
    ]


def test_a_workload_keeps_the_account_that_its_role_has() -> None:
    role = a_role(as_core("orders", grants=[a_grant("orders")]))
    plan = compared([an_access("orders", grants=[a_grant("orders", can=["read", "write"])], subject=WORKLOAD)], role)
    assert [(change.caller, change.kind) for change in plan.roles] == [(PRINCIPAL, Kind.WIDENED)]


def test_roles_of_other_installations_are_left_out() -> None:
    role = a_role(as_core("orders", grants=[a_grant("orders")]))
    other = Role(role.name.replace("default", "other"), role.body, role.metadata)
    plan = compared([an_access("orders", grants=[a_grant("orders")])], other)
    assert [change.kind for change in plan.roles] == [Kind.ADDED]


def test_what_was_not_compared_is_named() -> None:
    key: dict[str, Any] = {"auth": "ApiKey", "credential": {"store": "main", "name": "orders"}}
    plan = compared([an_access("key", **key), an_access("elsewhere", cluster="dev")])
    assert {each.name: each.note.partition(":")[0] for each in plan.objects} == {
        "shop/key": "its credential was not compared", "shop/elsewhere": "its rights were not compared"
    }  # fmt: skip
    assert plan.roles == ()


def a_line(name: str, reason: str = "InSync", kind: str = "SearchAccess") -> Line:
    return Line(kind, name, "prod", "True" if reason == "InSync" else "False", reason, "why", changed=False)


def test_a_dry_run_becomes_a_plan() -> None:
    before, after = a_role(as_core(grants=[a_grant("a")])), a_role(as_core(grants=[a_grant("a", "b")]))
    change = change_of_role("prod", before.name, before, after)
    assert isinstance(change, Change)
    plan = plan_of_run(Summary((a_line("shop/orders"),), changes=(change,)), Declared(), Declared())
    assert [(each.caller, each.kind, each.accesses) for each in plan.roles] == [
        (PRINCIPAL, Kind.WIDENED, ("shop/orders",))
    ]
    assert (plan.others, plan.code, plan.widens) == ((), Exit.PENDING, True)


def test_a_role_whose_description_alone_changes_opens_nothing() -> None:
    before = a_role(as_core(grants=[a_grant("a")]))
    after = Role(before.name, before.body, {**before.metadata, "spec_hash": "x"})
    change = change_of_role("prod", before.name, before, after)
    assert change is not None
    plan = plan_of_run(Summary((), changes=(change,)), Declared(), Declared())
    assert (plan.roles, plan.code, plan.widens) == ((), Exit.PENDING, False)
    assert plan.others == (f"change role/{before.name} (cluster prod)",)


def test_what_failed_makes_a_plan_incomplete_only_where_it_matters() -> None:
    declared = declared_by([an_access("orders")], clock=Stopped())
    lines = (a_line("shop/orders"), a_line("shop/other", "Rejected"))
    assert plan_of_run(Summary(lines, changes=()), declared, declared).code is Exit.IN_SYNC
    plan = plan_of_run(Summary((a_line("shop/orders", "Rejected"),), changes=()), declared, declared)
    assert (plan.code, plan.objects[0].problem) == (Exit.FAILED, "Rejected: why")
    unreachable = Summary((a_line("prod", "Unreachable", "SearchCluster"),), changes=())
    assert plan_of_run(unreachable, declared, declared).code is Exit.FAILED
    assert plan_of_run(Summary((), unfinished="it was stopped", changes=()), declared, declared).code is Exit.FAILED
    assert plan_of_run(Summary((), faults=1, changes=()), declared, declared).code is Exit.FAILED


def test_a_trouble_of_a_cluster_is_said_once_with_the_objects_counted() -> None:
    names = [f"orders-{number}" for number in range(12)]
    declared = declared_by([an_access(name) for name in names], clock=Stopped())
    accesses = [a_line(f"shop/{name}", "LoginMissing") for name in names]
    lines = (*accesses, a_line("prod", "LoginMissing", "SearchCluster"))
    plan = plan_of_run(Summary(lines, changes=()), declared, declared)
    [trouble], rest = plan.troubles()
    assert (trouble.problem, trouble.failed, len(trouble.names)) == ("LoginMissing: why", True, 13)
    assert trouble.names[0] == "SearchCluster prod"
    assert rest == ()
    text = "\n".join(line.text for line in lines_of(plan))
    assert text.count("LoginMissing") == 1
    assert "of 13 objects: SearchCluster prod, shop/orders-0, shop/orders-1 and 10 more" in text
    assert "  next: " in text
    assert markdown_of(plan).count("LoginMissing") == 1
    assert [each["problem"] for each in plan.to_json()["manifests"]] == ["LoginMissing: why"] * 13, "scripts get each"


def test_what_else_is_said_of_an_object_stays_beside_a_shared_trouble() -> None:
    objects = [ObjectChange("SearchAccess", name, Object.SAME, problem="Rejected: why", failed=True) for name in "ab"]
    objects.append(ObjectChange("SearchAccess", "c", Object.SAME, problem="InvalidSpec: other", failed=True))
    plan = Plan("live", (), (replace(objects[0], note="its rights stay"), *objects[1:]))
    troubles, rest = plan.troubles()
    assert [each.names for each in troubles] == [("a", "b")]
    assert [(each.name, each.problem, each.note) for each in rest] == [
        ("a", "", "its rights stay"),
        ("c", "InvalidSpec: other", ""),
    ]
