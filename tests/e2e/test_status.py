"""A status says what is true, what is wrong with whom, and what to do; and nobody pays for another's mistake."""

import re
from typing import Any

import pytest

from tests.e2e.ownership.test_ownership import reconciled_fully
from tests.support.waiting import eventually
from tests.support.worlds.world import CLUSTER, OPERATOR_PASSWORD, World, access, account, condition_in, grant

WITHIN = 60


def test_an_invalid_spec_that_admission_lets_through_is_reported_and_never_written(world: World) -> None:
    world.apply(access("broken", grant("/a[/")))
    found = world.until_reason("broken", "InvalidSpec", status="False", within=WITHIN)
    stalled = condition_in(found, "Stalled")
    assert stalled["status"] == "True"
    assert "spec.grants[0].indices" in stalled["message"]
    assert "/a[/" in stalled["message"]
    assert condition_in(found, "Reconciling") == {}
    assert not world.role("broken")
    world.until_event("broken", "InvalidSpec", "/a[/")

    world.apply(access("broken", grant("/a[bc]/")))
    world.until_ready("broken", within=WITHIN)
    assert condition_in(world.get("broken"), "Stalled") == {}


def test_an_invalid_change_leaves_what_was_granted(world: World) -> None:
    world.apply(access("worsened", grant("good-*")))
    world.until_ready("worsened")
    before = world.role("worsened")
    world.apply(access("worsened", grant("/a[/")))
    world.until_reason("worsened", "InvalidSpec", within=WITHIN)
    assert world.role("worsened") == before
    world.delete("worsened")
    assert not world.role("worsened")


REFUSED = {
    "query": (grant("refused-*", where={"nosuchquery": {}}), "nosuchquery"),
    "privilege": ({"indices": ["refused-*"], "privileges": ["nosuch_privilege"]}, "nosuch_privilege"),
    "field": (grant("refused-*", fields={"include": ["a"], "exclude": ["b"]}), "b"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_elasticsearch_refuses_is_reported_on_that_access_alone(world: World, kind: str) -> None:
    bad, text = REFUSED[kind]
    name = f"refused-{kind}"
    world.apply(access(name, bad), access(f"{name}-neighbor", grant("fine-*")))
    found = world.until_reason(name, "RejectedByElasticsearch", status="False", within=WITHIN)
    assert condition_in(found, "Stalled")["status"] == "True"
    assert text in condition_in(found, "Ready")["message"]
    assert not world.role(name)
    world.until_event(name, "RejectedByElasticsearch", text)
    world.until_ready(f"{name}-neighbor", within=WITHIN)

    world.apply(access(name, grant("refused-*")))
    world.until_ready(name, within=WITHIN)


@pytest.mark.parametrize("kind", REFUSED)
def test_who_shares_the_principal_with_a_refused_one_gets_its_rights(world: World, kind: str) -> None:
    bad, _ = REFUSED[kind]
    name = f"mixed-{kind}"
    email = account(name)
    world.apply(
        access(name, bad, principal=email),
        access(name, grant("fine-1"), principal=email, namespace="billing"),
        access(f"{name}-2", grant("fine-2"), principal=email, namespace="billing"),
    )
    world.until_reason(name, "RejectedByElasticsearch", within=WITHIN)
    for good in (name, f"{name}-2"):
        world.until_ready(good, namespace="billing", within=WITHIN)
    assert sorted(entry["names"] for entry in world.role(name)["indices"]) == [["fine-1"], ["fine-2"]]

    # A later change of a good one still goes through, and a refused change leaves what there was.
    world.apply(access(name, grant("fine-3"), principal=email, namespace="billing"))
    world.until_ready(name, namespace="billing", within=WITHIN)
    world.apply(access(f"{name}-2", bad, principal=email, namespace="billing"))
    world.until_reason(f"{name}-2", "RejectedByElasticsearch", namespace="billing", within=WITHIN)
    assert sorted(entry["names"] for entry in world.role(name)["indices"]) == [["fine-2"], ["fine-3"]]
    assert condition_in(world.get(name), "Ready")["reason"] == "RejectedByElasticsearch"


def test_an_unknown_cluster_is_reported_and_the_access_can_be_deleted(world: World) -> None:
    world.apply(access("homeless", grant("orders-*"), cluster="nowhere"))
    found = world.until_reason("homeless", "ClusterNotFound", status="False", within=WITHIN)
    assert "'nowhere'" in condition_in(found, "Ready")["message"]
    world.patch("homeless", {"spec": {"cluster": CLUSTER}})
    world.until_ready("homeless", within=WITHIN)

    world.patch("homeless", {"spec": {"cluster": "nowhere"}})
    world.until_reason("homeless", "ClusterNotFound", within=WITHIN)
    assert world.role("homeless"), "a mistake in the name costs nothing"
    world.delete("homeless")
    assert not world.role("homeless")

    world.apply(access("vagrant", grant("orders-*"), cluster="nowhere"))
    world.until_reason("vagrant", "ClusterNotFound", within=WITHIN)
    world.delete("vagrant")


def test_a_request_to_reconcile_is_echoed(world: World) -> None:
    world.apply(access("echo", grant("orders-*")))
    world.until_ready("echo")
    for value in ("first", "second"):
        world.annotate("echo", "reconcile-requested-at", value)
        eventually(
            lambda value=value: world.get("echo")["status"].get("lastHandledReconcileAt") == value,  # type: ignore[misc]
            within=WITHIN,
        )
        world.kubernetes.run_kubectl(
            "annotate", "searchcluster", CLUSTER, "--overwrite", f"searchaccess.dev/reconcile-requested-at={value}"
        )
        eventually(
            lambda value=value: world.get_cluster()["status"].get("lastHandledReconcileAt") == value,  # type: ignore[misc]
            within=WITHIN,
        )


def test_a_status_names_what_there_is_in_elasticsearch(world: World) -> None:
    world.apply(access("named", grant("orders-*", "invoices", can=["read", "write"])))
    world.until_ready("named")
    status = world.get("named")["status"]
    role = world.role("named")
    assert status["elasticsearch"] == {
        "role": world.role_name("named"),
        "mapping": "searchaccess.default",
        "specHash": role["metadata"]["owners"][0]["spec_hash"],
        "clusterUuid": world.admin.get("/").json()["cluster_uuid"],
    }
    assert status["identity"] == {"principal": account("named")}
    assert status["observedGeneration"] == 1
    assert {item["observedGeneration"] for item in status["conditions"]} == {1}


def table(text: str) -> list[dict[str, str]]:
    """Read what kubectl prints."""
    header, *rows = text.rstrip().splitlines()
    # A value may be empty: where a column begins is what tells it from the next.
    starts = [match.start() for match in re.finditer(r"\S+", header)]
    spans = list(zip(starts, [*starts[1:], None], strict=True))
    return [{header[start:end].strip(): row[start:end].strip() for start, end in spans} for row in rows]


def shown(world: World, *arguments: str) -> dict[str, str]:
    """Return the one row that kubectl prints."""
    (row,) = table(world.kubernetes.run_kubectl("get", *arguments).stdout)
    return row


def test_kubectl_shows_an_access_in_a_line(world: World) -> None:
    spec: dict[str, Any] = {"mode": "Observe"}
    world.apply(access("shown", grant("orders-*", "invoices", can=["write", "read"])))
    world.until_ready("shown")
    row = shown(world, "searchaccess", "shown", "-n", "shop")
    age = row.pop("AGE")
    assert re.fullmatch(r"\d+[smh](\d+s)?", age)
    assert row == {
        "NAME": "shown",
        "SERVICE": account("shown").removesuffix(".iam.gserviceaccount.com"),
        "ACCESS": "rw orders-* +1",
        "MODE": "Enforce",
        "READY": "True",
        "REASON": "InSync",
    }
    wide = shown(world, "searchaccess", "shown", "-n", "shop", "-o", "wide")
    assert (wide["CLUSTER"], wide["PRINCIPAL"], wide["DRIFT"]) == ("prod", account("shown"), "0")
    assert re.fullmatch(r"\d+[smh](\d+s)?", wide["LAST-SYNC"])

    world.patch("shown", {"spec": spec})
    world.until_ready("shown")
    role = world.role("shown")
    role["indices"][0]["privileges"].append("delete")
    world.write_role("shown", role)
    world.until_reason("shown", "DriftDetected", within=WITHIN)
    row = shown(world, "searchaccess", "shown", "-n", "shop", "-o", "wide")
    assert (row["READY"], row["REASON"], row["DRIFT"]) == ("False", "DriftDetected", "1")
    assert (row["MODE"], row["MESSAGE"]) == ("Observe", world.condition("shown", "Ready")["message"])


def test_kubectl_shows_a_cluster_in_a_line(world: World) -> None:
    row = shown(world, "searchcluster", CLUSTER)
    assert set(row) == {"NAME", "URL", "VERSION", "LICENSE", "READY", "REASON", "ACCESSES", "DRIFTED", "AGE"}
    assert row["URL"] == world.elasticsearch.url
    assert row["VERSION"] == world.admin.get("/").json()["version"]["number"]
    assert (row["LICENSE"], row["READY"], row["REASON"]) == ("trial", "True", "InSync")
    wide = shown(world, "searchcluster", CLUSTER, "-o", "wide")
    assert wide["PROBE"] == "Active"
    assert wide["UUID"] == world.admin.get("/").json()["cluster_uuid"]
    assert wide["FOREIGN"].isdecimal()


def test_the_counts_of_a_cluster_follow(world: World) -> None:
    def counts() -> dict[str, int]:
        return dict(world.get_cluster()["status"]["counts"])

    # The tests before this one are counted.
    reconciled_fully(world)
    before = counts()
    world.apply(access("counted", grant("orders-*")), access("counted-broken", grant("/a[/")))
    world.until_ready("counted")
    expected = before | {
        "accesses": before["accesses"] + 2,
        "ready": before["ready"] + 1,
        "roles": before["roles"] + 1,
    }
    eventually(lambda: counts() == expected, within=WITHIN, what=f"counts are {expected}")
    world.delete("counted")
    world.delete("counted-broken")
    eventually(lambda: counts() == before, within=WITHIN, what=f"counts are {before}")


def test_kubectl_describe_shows_drift_and_events(world: World) -> None:
    world.apply(access("described", grant("orders-*")))
    world.until_ready("described")
    role = world.role("described")
    role["indices"][0]["privileges"].append("all")
    world.write_role("described", role)
    world.until_event("described", "DriftCorrected")
    eventually(lambda: condition_in(world.get("described"), "Drifted").get("reason") == "DriftCorrected", within=WITHIN)

    text = world.kubernetes.run_kubectl("describe", "searchaccess", "described", "-n", "shop").stdout
    for part in (
        r"Reason:\s+InSync",
        r"Reason:\s+DriftCorrected",
        r"Path:\s+indices\[orders-\*\].privileges",
        r'Have:\s+\["all","read","view_index_metadata"\]',
        r'Want:\s+\["read","view_index_metadata"\]',
        r"Action:\s+Corrected",
        r"Warning\s+DriftDetected.*want .* have ",
        r"Normal\s+DriftCorrected",
    ):
        assert re.search(part, text), (part, text)


def test_no_password_shows_anywhere(world: World) -> None:
    kubectl = world.kubernetes.run_kubectl
    shown = kubectl("get", "searchaccesses,searchclusters,events", "-A", "-o", "yaml").stdout
    assert OPERATOR_PASSWORD not in shown + world.process.output()
