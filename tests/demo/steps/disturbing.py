"""The demo's end: somebody tampers, and somebody's access is revoked."""

import time
from typing import Any

import httpx
from rich.table import Table
from rich.text import Text

from tests.demo import manifests
from tests.demo.calls import ALL, EU, SEARCH, orders
from tests.demo.screen import command, new_table
from tests.demo.stage import Stage
from tests.support.operatorprocess import ROOT

_ACCESS, _NAMESPACE = "orders-reader", "shop"
_AS_DECLARED = f"200: {EU} orders (eu)"


def tamper(stage: Stage) -> None:
    title = "Somebody with superuser rights widens a role by hand"
    with stage.screen.step(title) as page, stage.world.caller("shop-web") as caller:
        role = stage.world.get(_ACCESS, _NAMESPACE)["status"]["elasticsearch"]["role"]
        times = new_table()
        orders(caller.get(SEARCH))
        _widen(stage.world.admin, role)
        started = time.monotonic()
        times.add_row(_since(started), "gets the privilege write, and loses the query that limits it to the eu")
        seen = orders(caller.get(SEARCH))
        times.add_row(_since(started), Text.assemble("shop-web searches orders-*   ", (seen, "red")))
        page.doing("waiting until the operator notices")
        trouble = f"role {role} is not corrected"
        stage.until(lambda: orders(caller.get(SEARCH)) == _AS_DECLARED, lambda: trouble)
        healed = Text.assemble("shop-web searches orders-*   ", (_AS_DECLARED, "green"), "   corrected ")
        times.add_row(_since(started), healed + stage.checks.count(right=True))
        page.show(Text.assemble("role ", (role, "bold")))
        page.show(times)

        drift = stage.until(lambda: _corrected_drift(stage), lambda: f"status.drift of {_ACCESS} does not report it")
        page.gap()
        counts = ", ".join(f"{drift[name]} {name}" for name in ("detected", "corrected", "open"))
        page.show(Text.assemble((f"status.drift of {_ACCESS}", "cyan"), f"   {counts}"))
        for name in dict.fromkeys(item["object"] for item in drift["items"]):
            page.show(Text(name, "bold"))
            page.show(_drift_table([item for item in drift["items"] if item["object"] == name]))
        events = stage.until(lambda: _drift_events(stage), lambda: f"no event of {_ACCESS} reports it")
        page.gap()
        page.say(f"Events of {_ACCESS}", "cyan")
        page.show(_event_table(events))
        right = drift["open"] == 0 and {item["action"] for item in drift["items"]} == {"Corrected"}
        page.gap()
        page.show(Text("Detected, corrected and reported ") + stage.checks.count(right=right))


def revoke(stage: Stage) -> None:
    world, checks = stage.world, stage.checks
    [file] = [file for file in manifests.access_files() if _ACCESS in manifests.names_in(file)]
    with (
        stage.screen.step("Revoke an access, and grant it again") as page,
        world.caller("shop-web") as caller,
        world.caller("orders-indexer") as other,
    ):
        before, after = stage.new_checks_table(), stage.new_checks_table()
        again = stage.new_checks_table()
        request = f"shop-web: GET {SEARCH}"
        checks.add_row(before, request, _AS_DECLARED, orders(caller.get(SEARCH)))
        page.show(before)

        started = time.monotonic()
        printed = stage.kubectl("delete", "searchaccess", _ACCESS, "-n", _NAMESPACE)
        page.show(command(f"kubectl delete searchaccess {_ACCESS} -n {_NAMESPACE}"))
        page.show(Text.assemble(printed.strip(), (f"   {time.monotonic() - started:.1f} s", "green")))
        checks.add_row(after, request, "403 refused", orders(caller.get(SEARCH)), "next request")
        indexer = f"200: {ALL + 1} orders (eu, us)"
        checks.add_row(after, f"orders-indexer: GET {SEARCH}", indexer, orders(other.get(SEARCH)))
        page.show(after)

        started = time.monotonic()
        printed = stage.kubectl("apply", f"--filename={file}")
        stage.until(lambda: caller.get(SEARCH).is_success, lambda: "shop-web is not let in again")
        page.show(command(f"kubectl apply -f {file.relative_to(ROOT)}"))
        page.show(Text.assemble(printed.strip(), (f"   in force after {time.monotonic() - started:.1f} s", "green")))
        checks.add_row(again, request, _AS_DECLARED, orders(caller.get(SEARCH)))
        page.show(again)
        stage.until_settled("searchaccess", _ACCESS, _NAMESPACE)


def _widen(admin: httpx.Client, role: str) -> None:
    """Let the role write, and see all documents, as somebody would who is in a hurry."""
    body = admin.get(f"/_security/role/{role}").json()[role]
    body.pop("transient_metadata", None)
    [limited] = [entry for entry in body["indices"] if "query" in entry]
    limited.pop("query")
    limited["privileges"].append("write")
    admin.put(f"/_security/role/{role}", json=body).raise_for_status()


def _corrected_drift(stage: Stage) -> dict[str, Any]:
    drift: dict[str, Any] = stage.world.get(_ACCESS, _NAMESPACE)["status"].get("drift") or {}
    return drift if drift.get("corrected") else {}


def _drift_events(stage: Stage) -> list[dict[str, Any]]:
    events = [event for event in stage.world.events(_ACCESS, _NAMESPACE) if event["reason"].startswith("Drift")]
    return events if {event["reason"] for event in events} >= {"DriftDetected", "DriftCorrected"} else []


def _since(started: float) -> Text:
    return Text(f"+{time.monotonic() - started:4.2f} s", "bold")


def _drift_table(items: list[dict[str, Any]]) -> Table:
    table = new_table("path", "want", "have", "action")
    table.columns[0].no_wrap = True
    for item in items:
        want, have = _spaced(item["want"]), _spaced(item["have"])
        table.add_row(Text(item["path"]), want, have, Text(item["action"], "green"))
    return table


def _event_table(events: list[dict[str, Any]]) -> Table:
    table = new_table()
    for event in sorted(events, key=lambda event: event["reason"], reverse=True):
        style = "yellow" if event["type"] == "Warning" else ""
        table.add_row(Text(event["type"], style), event["reason"], _spaced(event["message"]))
    return table


def _spaced(value: str) -> Text:
    """Return JSON places to wrap at."""
    return Text(value.replace('","', '", "') or "nothing")
