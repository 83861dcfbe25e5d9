"""Findings in audit logs: what nobody used, and who used what nobody declared."""

import json
from pathlib import Path
from typing import Any

from searchaccess.core.answers.audit.known import Known, known_access
from searchaccess.core.answers.audit.report import Wanted, report
from searchaccess.core.answers.findings.audits import Logged, in_logs
from searchaccess.core.answers.recommend.advice import advise
from tests.unit.answers.audit.lines import WEB, counted, line
from tests.unit.builders import a_grant, a_search_access


def logged(folder: Path, accesses: list[dict[str, Any]], *lines: dict[str, Any]) -> Logged:
    tally = counted(folder, *lines)
    known = Known([known_access(raw) for raw in accesses])
    return in_logs(report(tally, known, Wanted()), advise(accesses, tally))


def web(*grants: dict[str, Any], **more: Any) -> dict[str, Any]:
    return a_search_access("web", service_account=WEB, grants=grants, **more)


def said(found: Logged) -> set[tuple[str, str, tuple[str, ...]]]:
    return {(str(each.kind), str(each.about), each.what) for each in found.findings}


ORDERS = a_grant("orders-*", "log", can=("read", "write"))


def test_what_no_request_needed_has_ids_without_positions(tmp_path: Path) -> None:
    found = logged(tmp_path, [web(ORDERS, clusterCan=["monitor"])], line())
    about = "SearchAccess shop/web"
    assert said(found) == {
        ("unused", about, ("index", "log")),
        ("unused", about, ("action", "write", "log", "orders-*")),
        ("unused", about, ("cluster", "monitor")),
    }
    turned = web(a_grant("customers"), ORDERS | {"indices": ["log", "orders-*"], "can": ["write", "read"]})
    again = logged(tmp_path, [turned], line(), line(indices=["customers"]))
    assert {each.id for each in again.findings} < {each.id for each in found.findings}


def test_what_was_not_used_at_all_is_one_finding(tmp_path: Path) -> None:
    other = a_search_access("other", service_account="other@acme-shop.iam.gserviceaccount.com")
    assert said(logged(tmp_path, [web(a_grant("orders-*")), other], line())) == {
        ("unused", "SearchAccess shop/other", ())
    }


def test_nothing_is_unused_where_the_logs_do_not_tell(tmp_path: Path) -> None:
    run = {"cloudRunService": {"project": "p", "location": "europe-west1", "name": "web"}}
    unknown = a_search_access("run", subject=run)
    found = logged(tmp_path, [web(a_grant("orders-*")), unknown], line())
    assert (said(found), found.decided) == (set(), frozenset({"shop/web"}))
    nothing = logged(tmp_path, [web(ORDERS)])
    assert (nothing.findings, nothing.decided) == ((), frozenset())


def test_a_caller_whom_nobody_declared_is_one_finding_whatever_it_did(tmp_path: Path) -> None:
    uses = [line(user__name="ada"), line(user__name="ada", indices=["customers"])]
    uses += [line(user__name="ada", apikey__id="k1", apikey__name="batch")]
    found = logged(tmp_path, [web(a_grant("orders-*"))], line(), *uses)
    assert said(found) == {("unexplained", "Caller ada", ("user",)), ("unexplained", "Caller ada", ("key", "batch"))}
    by_name = {each.what: each for each in found.findings}
    assert by_name["user",].evidence == ("read customers", "read orders-1")
    assert by_name["user",].first_seen == "2026-11-29T23:05:57Z"
    assert "2 requests allowed, 0 refused" in by_name["user",].title


def test_a_name_with_which_somebody_was_not_let_in_is_no_caller(tmp_path: Path) -> None:
    refused = [line(user__name=f"guess-{each}", event__action="authentication_failed") for each in range(3)]
    assert said(logged(tmp_path, [web(a_grant("orders-*"))], line(), *refused)) == set()


def test_a_time_before_all_others_is_the_first_that_is_shown(tmp_path: Path) -> None:
    [found] = logged(tmp_path, [], line(user__name="ada", timestamp="1900-01-01T00:00:00Z")).findings
    assert found.first_seen == "1970-01-01T00:00:00Z"


def test_an_index_that_no_grant_names_is_one_of_the_search_access(tmp_path: Path) -> None:
    found = logged(tmp_path, [web(a_grant("orders-*"))], line(), line(indices=["customers"]))
    about = "SearchAccess shop/web"
    assert ("beyond-declared", about, (WEB, "read", "customers")) in said(found)
    assert json.dumps([each.title for each in found.findings])
