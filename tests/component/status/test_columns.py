"""What `kubectl get` shows of SearchAccesses and SearchClusters."""

import re
from typing import Any, Final

from searchaccess.api.crd import custom_resource_definitions
from searchaccess.api.searchaccess import SearchAccess
from searchaccess.core.model.identities.workload import Place, Workload, WorkloadKind
from tests.component.common import begin
from tests.component.identities.common import subject
from tests.support.loop.stage import Stage, on_stage
from tests.support.worlds.world import CLUSTER, access, account, grant

WIDTH: Final = 120
GAP: Final = 3
"""Spaces between columns, as kubectl has them."""
SHOP, LAB = (
    Workload(Place(project, "europe-west1", WorkloadKind.SERVICE), "orders-api")
    for project in ("acme-shop", "acme-lab")
)
WHERE: dict[str, Any] = {"where": {"term": {"region": "eu"}}}


def cell(raw: Any, path: str) -> str:
    """Return what a JSONPath of a column finds; empty: nothing."""
    for step in re.findall(r"\.(\w+)|\[\?\(@\.type==\"(\w+)\"\)\]", path):
        if step[0]:
            raw = raw.get(step[0], "") if isinstance(raw, dict) else ""
        else:
            raw = next((item for item in raw or [] if item["type"] == step[1]), {})
    return str(raw)


def row(raw: dict[str, Any], plural: str = "searchaccesses", *, wide: bool = False) -> dict[str, str]:
    """Return the row of an object as `kubectl get -A` prints it."""
    columns = custom_resource_definitions()[plural]["spec"]["versions"][0]["additionalPrinterColumns"]
    meta = raw["metadata"]
    cells = {"NAMESPACE": meta["namespace"]} if "namespace" in meta else {}
    cells["NAME"] = meta["name"]
    shown = (column for column in columns if wide or not column.get("priority"))
    cells |= {column["name"].upper(): cell(raw, column["jsonPath"]) for column in shown}
    return cells | {"AGE": "99d"}


def width(rows: list[dict[str, str]]) -> int:
    """Return how wide kubectl prints some rows."""
    widest = [max(len(head), *(len(one[head]) for one in rows)) for head in rows[0]]
    return sum(widest) + GAP * (len(widest) - 1)


@on_stage
async def test_rows_fit_a_terminal_and_say_of_which_project_how_they_are_kept_and_what_is_restricted(
    stage: Stage,
) -> None:
    for workload in (SHOP, LAB):
        stage.google.state.deploy(workload, account(workload.place.project))
    orders = grant("orders-*")
    two = [
        access(name, orders, subject=subject(workload))
        for name, workload in (("orders-api", SHOP), ("orders-lab", LAB))
    ]
    await begin(
        stage,
        *two,
        access("orders-indexer", grant("orders-*", "invoices", can=["read", "write"])),
        access("audit-reader", grant("audit-*", can=["read", "monitor"], **WHERE), mode="Observe"),
        access("orders-reader", grant("orders-*", fields={"exclude": ["ssn"]}), suspend=True),
    )
    names = ("orders-api", "orders-lab", "orders-indexer", "audit-reader", "orders-reader")
    rows = {name: row(stage.get(name)) for name in names}
    assert width([one for one in rows.values() if one["MODE"] != "Suspended"]) <= WIDTH
    within_namespace = [{head: text for head, text in one.items() if head != "NAMESPACE"} for one in rows.values()]
    assert width(within_namespace) <= WIDTH
    services = [rows[name]["SERVICE"] for name in ("orders-api", "orders-lab")]
    assert services == ["orders-api.europe-west1.acme-shop", "orders-api.europe-west1.acme-lab"]
    assert [one["MODE"] for one in rows.values()] == ["Enforce", "Enforce", "Enforce", "Observe", "Suspended"]
    assert rows["orders-indexer"]["ACCESS"] == "rw orders-* +1"
    assert rows["audit-reader"]["ACCESS"] == "rm~ audit-*"
    assert rows["orders-reader"]["ACCESS"] == "r~ orders-*"
    assert (rows["audit-reader"]["READY"], rows["audit-reader"]["REASON"]) == ("False", "ChangesPending")
    stage.amend("orders-reader", suspend=False)
    stage.amend("audit-reader", mode="Enforce")
    await stage.quiet()
    assert {row(stage.get(name))["MODE"] for name in names} == {"Enforce"}


@on_stage
async def test_wide_rows_have_the_message(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")), access("invalid", grant("Upper")))
    wide = row(stage.get("orders"), wide=True)
    assert wide["CLUSTER"] == CLUSTER
    assert wide["MESSAGE"] == f"{account('orders')} has r orders-*"
    assert "spec.grants[0].indices" in row(stage.get("invalid"), wide=True)["MESSAGE"]
    assert row(stage.cluster(), "searchclusters", wide=True)["MESSAGE"].startswith("reachable")
    assert width([row(stage.cluster(), "searchclusters")]) <= WIDTH


@on_stage
async def test_what_is_declared_and_not_applied_is_no_drift(stage: Stage) -> None:
    await begin(stage, access("observed", grant("orders-*"), mode="Observe"))
    assert stage.ready("observed") == ("False", "ChangesPending")
    status = stage.get("observed")["status"]
    assert {item["action"] for item in status["drift"]["items"]} == {"Pending"}
    assert row(stage.get("observed"), wide=True)["DRIFT"] == "0"
    assert stage.cluster()["status"]["counts"]["drifted"] == 0
    assert row(stage.cluster(), "searchclusters")["DRIFTED"] == "0"
    assert stage.notes("observed") == []


def test_each_column_is_of_a_field_that_there_is() -> None:
    known = SearchAccess.model_json_schema(by_alias=True)["$defs"]["SearchAccessStatus"]["properties"]
    columns = custom_resource_definitions()["searchaccesses"]["spec"]["versions"][0]["additionalPrinterColumns"]
    paths = [column["jsonPath"] for column in columns]
    assert {found[1] for path in paths if (found := re.match(r"\.status\.(\w+)", path))} <= known.keys()
