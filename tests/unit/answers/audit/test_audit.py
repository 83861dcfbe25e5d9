"""Audit events are counted by who, what, where and how, and explained by what is declared."""

import gzip
import json
import os
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema
from typer.testing import CliRunner

from searchaccess.adapters.auditlogs.files import find, read_audit, read_gateway, read_requests
from searchaccess.cli.auditing.page import page
from searchaccess.cli.auditing.shown import summary, tables
from searchaccess.cli.main import app
from searchaccess.core.answers.audit import tally as tallies
from searchaccess.core.answers.audit.events import AuditEvent
from searchaccess.core.answers.audit.known import Known, KnownAccess, known_access, logins_of
from searchaccess.core.answers.audit.naming import access_of_key, kind_of, of_request, revision_of
from searchaccess.core.answers.audit.ocsf import events
from searchaccess.core.answers.audit.report import Oddity, Wanted, report
from searchaccess.core.answers.audit.tally import ALWAYS, ELSEWHERE, Tally
from searchaccess.ports.errors import InvalidLog
from tests.unit.answers.audit.lines import (
    REVISION,
    SEARCH,
    TRACE,
    WEB,
    counted,
    known,
    line,
    reported,
    request,
    through_gateway,
    written,
)
from tests.unit.builders import a_search_access

KINDS = {
    "indices:data/read/search": "read",
    "indices:data/read/get": "read",
    "indices:data/read/search[phase/query]": "",
    "indices:data/write/bulk": "bulk",
    "indices:data/write/bulk[s]": "",
    "indices:data/write/bulk[s][r]": "",
    "indices:data/write/index:op_type/index": "write",
    "indices:data/write/index:op_type/create": "append",
    "indices:data/write/update": "write",
    "indices:data/write/delete": "delete",
    "indices:data/write/delete/byquery": "delete",
    "indices:admin/mapping/auto_put": "create",
    "indices:admin/auto_create": "create",
    "indices:admin/mappings/get": "metadata",
    "indices:admin/delete": "manage",
    "indices:monitor/stats": "monitor",
    "cluster:monitor/health": "cluster",
}


class TestNames:
    @pytest.mark.parametrize(("action", "kind"), KINDS.items())
    def test_an_action_has_the_kind_of_the_grant_that_allows_it(self, action: str, kind: str) -> None:
        assert kind_of(action) == kind

    @pytest.mark.parametrize(
        ("opaque", "names"),
        [
            ("web/web-00001-abc", ("web", "web-00001-abc")),
            ("web/web-00001-abc/0", ("web", "web-00001-abc")),
            ("web/other-00001", ("", "")),
            ("web", ("", "")),
            ("web/", ("", "")),
            ("Web/Web-1", ("", "")),
            ("web/web-1\nnext", ("", "")),
            (f"{'a' * 64}/{'a' * 64}-1", ("", "")),
        ],
    )
    def test_a_revision_is_only_what_has_its_form(self, opaque: str, names: tuple[str, str]) -> None:
        assert revision_of(opaque) == names

    def test_a_key_names_its_access(self) -> None:
        assert access_of_key("searchaccess.default.shop/web.3") == ("shop", "web")
        assert access_of_key("searchaccess.default.shop/../web.3") == ("", "")
        assert access_of_key("mine") == ("", "")

    @pytest.mark.parametrize(
        ("method", "path", "found"),
        [
            ("GET", "/orders-1,orders-2/_search", ("read", ("orders-1", "orders-2"))),
            ("POST", "/_msearch", ("read", ())),
            ("GET", "/orders-1/_doc/1", ("read", ("orders-1",))),
            ("PUT", "/orders-1/_doc/1", ("write", ("orders-1",))),
            ("DELETE", "/orders-1/_doc/1", ("delete", ("orders-1",))),
            ("POST", "/_bulk", ("bulk", ())),
            ("POST", "/orders-1/_mget", ("read", ("orders-1",))),
            ("PUT", "/orders-1/_create/1", ("append", ("orders-1",))),
            ("GET", "/orders-1/_mapping", ("metadata", ("orders-1",))),
            ("POST", "/_scripts/x", ("other", ())),
            ("DELETE", "/orders-1", ("manage", ("orders-1",))),
            ("POST", "/_sql", ("read", ())),
            ("GET", "/_cluster/health", ("cluster", ())),
            ("GET", "/_cat/indices", ("other", ())),
            ("GET", "/orders-1/_stats", ("monitor", ("orders-1",))),
            ("GET", "/orders-1/_refresh", ("other", ("orders-1",))),
            ("GET", "/orders%2D1%2C*/_search", ("read", ("orders-1", "*"))),
            ("POST", "/orders-1/_doc/_search", ("other", ("orders-1",))),
        ],
    )
    def test_a_request_to_the_gateway_names_its_indices(self, method: str, path: str, found: tuple[Any, ...]) -> None:
        assert of_request(method, path) == found


class TestReading:
    def test_what_is_the_same_is_one_row(self, tmp_path: Path) -> None:
        later = line(timestamp="2026-11-29T23:06:57,525+0000")
        refused = line(event__action="access_denied")
        [row] = reported(tmp_path, later, line(), refused).rows
        assert (row.allowed, row.denied) == (2, 1)
        assert row.first == datetime(2026, 11, 29, 23, 5, 57, 525000, UTC)
        assert row.last == datetime(2026, 11, 29, 23, 6, 57, 525000, UTC)
        assert (row.accesses, row.principal, row.kind, row.index) == (("shop/web",), WEB, "read", "orders-1")
        assert (row.service, row.revision, row.proven, row.oddities) == ("web", "web-00001-abc", False, ())

    def test_times_of_other_zones_are_the_same_time(self, tmp_path: Path) -> None:
        [row] = reported(tmp_path, line(), line(timestamp="2026-11-30T00:05:57,526+0100")).rows
        assert (row.last - row.first).total_seconds() == pytest.approx(0.001)

    def test_each_index_of_a_request_is_a_row(self, tmp_path: Path) -> None:
        rows = reported(tmp_path, line(indices=["orders-1", "orders-2"])).rows
        assert [row.index for row in rows] == ["orders-1", "orders-2"]

    def test_rotated_and_compressed_files_of_a_folder_are_read(self, tmp_path: Path) -> None:
        written(tmp_path, line())
        (tmp_path / "audit-2026-11-28.json.gz").write_bytes(gzip.compress(json.dumps(line()).encode()))
        (tmp_path / "audit.json.1").write_text(json.dumps(line()))
        (tmp_path / "notes.txt").write_text("nothing")
        tally, seen = Tally(ALWAYS), []
        files = find([tmp_path])
        read_audit(files, tally, lambda done, total: seen.append((done, total)))
        assert (len(files), tally.events, tally.unread) == (3, 3, 0)
        assert seen[-1][0] == seen[-1][1] > 0

    @pytest.mark.parametrize(
        "given",
        [
            {"@timestamp": "2026-11-29T23:05:57.525Z", "event": {"action": "access_granted"}, "user": {"name": WEB},
             "elasticsearch": {"audit": {"action": SEARCH, "indices": ["orders-1"], "opaque_id": REVISION}}},
            {"@timestamp": "2026-11-29T23:05:57.525Z"} | {k: v for k, v in line().items() if k != "timestamp"},
            {"jsonPayload": line(), "timestamp": "2026-11-29T23:06:00Z", "trace": "projects/p/traces/1"},
            {"_source": line()},
        ],
        ids=["nested by Filebeat", "with another name of the time", "Cloud Logging", "a hit of a search"],
    )  # fmt: skip
    def test_what_a_shipper_made_of_it_is_the_same(self, tmp_path: Path, given: dict[str, Any]) -> None:
        [row] = reported(tmp_path, given).rows
        assert (row.principal, row.kind, row.index, row.revision) == (WEB, "read", "orders-1", "web-00001-abc")

    def test_lines_that_are_no_events_are_counted_and_others_read(self, tmp_path: Path) -> None:
        deep = "[" * 100_000 + "]" * 100_000
        tally = counted(
            tmp_path, "no JSON", "[]", '"text"', deep, "x" * 3_000_000, {"timestamp": 5}, line(timestamp="yesterday"),
            line(indices="orders-1"), line(),
        )  # fmt: skip
        assert (tally.events, tally.unread) == (2, 6)

    @pytest.mark.parametrize("levels", [100, 900, 5000])
    def test_a_line_that_is_nested_too_deeply_is_counted_and_others_read(self, tmp_path: Path, levels: int) -> None:
        deep = '{"a":' * levels + "1" + "}" * levels
        tally = counted(tmp_path, deep, line())
        assert (tally.events, tally.unread) == (1, 1)
        requests = Tally(ALWAYS)
        read_gateway([written(tmp_path, deep, request(), name="gateway.log")], requests, lambda _done, _total: None)
        assert requests.events + requests.unread == 2

    @pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
    def test_a_time_that_other_zones_do_not_have_is_none(self, tmp_path: Path, time: str) -> None:
        tally = counted(tmp_path, line(timestamp=time), line())
        assert (tally.events, tally.unread) == (1, 1)

    def test_a_folder_that_may_not_be_read_is_said(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refused(_: Path) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "iterdir", refused)
        with pytest.raises(InvalidLog, match="cannot be read: Permission denied"):
            find([tmp_path])

    def test_events_of_other_kinds_are_left_out(self, tmp_path: Path) -> None:
        put = {"type": "audit", "event.action": "put_role", "put": {"role": {"name": "r"}}, "timestamp": "x"}
        tally = counted(tmp_path, put, line(event__action="run_as_granted"), line())
        assert (tally.events, tally.unread) == (1, 0)

    def test_only_the_period_counts(self, tmp_path: Path) -> None:
        tally = Tally(datetime(2026, 11, 29, 12, tzinfo=UTC), datetime(2026, 11, 29, 13, tzinfo=UTC))
        hours = ("11:59:59,999", "12:00:00,000", "12:59:59,999", "13:00:00,000")
        counted(tmp_path, *(line(timestamp=f"2026-11-29T{hour}+0000") for hour in hours), tally=tally)
        assert tally.events == 2

    def test_a_trace_in_cloud_runs_own_log_proves_the_revision(self, tmp_path: Path) -> None:
        labels = {"service_name": "web", "revision_name": "web-00002-xyz"}
        entries = [
            {"trace": f"projects/acme-shop/traces/{TRACE}", "resource": {"labels": labels}},
            {"trace": "projects/acme-shop/traces/short", "resource": {"labels": labels}},
            {"no": "trace"},
        ]
        tally = Tally(ALWAYS)
        assert read_requests([written(tmp_path, *entries, name="run.json")], tally, lambda _done, _total: None) == 1
        [row] = report(counted(tmp_path, line(), tally=tally), known(), Wanted()).rows
        assert (row.revision, row.proven) == ("web-00002-xyz", True)

    @pytest.mark.parametrize("name", ["gone.json", "empty"])
    def test_a_log_that_is_not_there_is_said(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "empty").mkdir()
        with pytest.raises(InvalidLog, match=name):
            find([tmp_path / name])

    def test_a_file_that_is_cut_off_is_said(self, tmp_path: Path) -> None:
        file = tmp_path / "audit.json.gz"
        file.write_bytes(gzip.compress(json.dumps(line()).encode())[:-9])
        with pytest.raises(InvalidLog, match=r"audit\.json\.gz cannot be read"):
            read_audit([file], Tally(ALWAYS), lambda _done, _total: None)

    @pytest.mark.parametrize("content", [b"{}", gzip.compress(b"{}" * 99)[:10] + b"\xff" * 9], ids=["plain", "damaged"])
    def test_a_file_that_is_not_compressed_as_its_name_says_is_said(self, tmp_path: Path, content: bytes) -> None:
        file = tmp_path / "audit.json.gz"
        file.write_bytes(content)
        with pytest.raises(InvalidLog, match="not a gzip file, or it is damaged"):
            read_audit([file], Tally(ALWAYS), lambda _done, _total: None)

    def test_a_name_that_no_file_can_have_is_said(self) -> None:
        with pytest.raises(InvalidLog, match="cannot be read"):
            find([Path("a" * 5000)])

    def test_memory_is_bounded_whatever_callers_send(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tallies, "MOST_ENTRIES", 10)
        others = (
            line(user__name=f"user-{number}", indices=[f"i-{number}"], opaque_id=f"a/a-{number}")
            for number in range(100)
        )
        report_ = reported(tmp_path, *(line(opaque_id=f"web/web-{number}") for number in range(50)), *others)
        assert report_.merged
        assert len(report_.rows) <= 40
        assert sum(row.allowed for row in report_.rows) == 150
        assert any(row.principal == ELSEWHERE for row in report_.rows)

    def test_long_headers_that_callers_choose_are_not_kept(self) -> None:
        """Each is a revision by its beginning, so that all of them are one row."""
        tally = Tally(ALWAYS)
        tracemalloc.start()
        for number in range(500):
            long = f"web/web-1/{number}{'x' * 8000}"
            tally.add(AuditEvent("2026-11-29T23:05:57,525+0000", "access_granted", WEB, SEARCH, ("orders-1",), long))
        kept = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert (len(tally.total()), tally.events) == (1, 500)
        assert kept < 1_000_000

    @pytest.mark.parametrize("late", [False, True])
    def test_an_event_that_repeats_another_one_counts_by_its_own_time_and_trace(self, *, late: bool) -> None:
        """Most events say the same as an earlier one."""
        tally = Tally(datetime(2026, 11, 29, 12, tzinfo=UTC), datetime(2026, 11, 29, 13, tzinfo=UTC))
        other = "f" * 32
        if not late:
            tally.revisions[other] = ("web", "web-00002-xyz")
        for at, trace in (("12:30", TRACE), ("11:59", TRACE), ("13:00", TRACE), ("12:10", other), ("12:50", TRACE)):
            written_at = f"2026-11-29T{at}:00,000+0000"
            if late and trace == other:
                tally.revisions[other] = ("web", "web-00002-xyz")
            tally.add(AuditEvent(written_at, "access_granted", WEB, SEARCH, ("orders-1",), REVISION, trace))
        tally.add(AuditEvent("now", "access_granted", WEB, SEARCH, ("orders-1",), REVISION))
        found = {(use.revision, use.proven): (count.number, count.first.minute, count.last.minute)
                 for use, count in tally.total().items()}  # fmt: skip
        assert found == {("web-00001-abc", False): (2, 30, 50), ("web-00002-xyz", True): (1, 10, 10)}
        assert (tally.events, tally.unread, tally.hours) == (3, 1, {("2026-11-29T12", True): 3})

    @pytest.mark.parametrize("many", [0, 1, 200])
    def test_a_line_counts_once_however_it_is_divided_between_reads(self, tmp_path: Path, many: int) -> None:
        """Without a last line break, with other line ends and empty lines, and beside lines that are too long."""
        one, skipped = json.dumps(line()), "x" * 1_500_000
        file = tmp_path / "audit.json"
        file.write_bytes("\r\n".join([*[one] * many, skipped, "", " ", *[one] * many, skipped, one]).encode())
        tally = Tally(ALWAYS)
        read_audit([file], tally, lambda _done, _total: None)
        assert (tally.events, tally.unread) == (2 * many + 1, 2)

    @pytest.mark.parametrize("at_once", [1, 7, 531, 532])
    def test_which_lines_are_too_long_does_not_depend_on_reads(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
    ) -> None:
        one = json.dumps(line())
        monkeypatch.setattr("searchaccess.adapters.auditlogs.files._LONGEST", len(one))
        monkeypatch.setattr("searchaccess.adapters.auditlogs.files._AT_ONCE", at_once)
        file = tmp_path / "audit.json"
        file.write_text("\n".join([one, f"{one} ", f"{one} ", one, f"{one} ", one]))
        tally = Tally(ALWAYS)
        read_audit([file], tally, lambda _done, _total: None)
        assert (tally.events, tally.unread) == (3, 3)

    def test_a_pipe_is_read_like_a_file(self, tmp_path: Path) -> None:
        """As ``<(kubectl logs …)`` of a shell; it has no position and no size."""
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        content = f"{json.dumps(line())}\n" * 5000
        writer = Thread(target=lambda: pipe.write_text(content))
        writer.start()
        tally = Tally(ALWAYS)
        read_audit(find([pipe]), tally, lambda _done, _total: None)
        writer.join()
        assert (tally.events, tally.unread) == (5000, 0)

    def test_memory_is_bounded_however_many_indices_a_request_names(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tallies, "MOST_INDICES", 100)
        lines = (line(indices=[f"i-{number}-{each}" for each in range(20)]) for number in range(50))
        report_ = reported(tmp_path, *lines)
        assert report_.merged
        assert len(report_.rows) <= 2 * 100 + 2 * 20 + 1
        assert report_.events == 50


class TestTerminal:
    def test_names_stay_whole_where_a_table_would_break_them(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("searchaccess.cli.printing.width", lambda: 80)
        index = ".ds-logs-elasticsearch.audit-default-2026.11.29-000001"
        lines = [line(indices=[name]) for name in (index, "orders-1", "orders-2\nAs declared:")]
        shown = [str(part) for part in tables(reported(tmp_path, line(user__name="ada", indices=[index]), *lines))]
        declared = shown.index("As declared:")
        by = f"    by {REVISION.partition('/')[2]}~: 1 allowed, 0 denied"
        assert shown[1:5] == ["ada", f"  read {index}", by, "    2026-11-29 23:05"]
        assert shown[declared + 1 : declared + 3] == [f"shop/web ({WEB.partition('.')[0]})", "  read orders-1"]
        assert shown.count("As declared:") == 1, "a name cannot look like a heading"
        assert sum(each == shown[declared + 1] for each in shown) == 2, "once for each group of rows"
        monkeypatch.setattr("searchaccess.cli.printing.width", lambda: 300)
        assert not any(str(part) == "ada" for part in tables(reported(tmp_path, line(user__name="ada"))))


class TestGateway:
    def test_its_log_is_read_beside_envoys_own_lines(self, tmp_path: Path) -> None:
        lines = ["[2026-11-29 23:05:57][1][info] starting", request(), request(status=403), request(status=404)]
        [row] = through_gateway(tmp_path, *lines).rows
        assert (row.accesses, row.index, row.allowed, row.denied, row.through) == (
            ("shop/web",), "orders-1", 2, 1, "gateway",
        )  # fmt: skip

    def test_a_caller_without_a_token_has_no_identity(self, tmp_path: Path) -> None:
        [row] = through_gateway(tmp_path, request(principal=None, status=401)).rows
        assert row.oddities == (Oddity.NO_IDENTITY,)


class TestFindings:
    @pytest.mark.parametrize(
        ("changed", "oddities"),
        [
            ({}, ()),
            ({"user__name": "ada"}, (Oddity.UNEXPLAINED,)),
            ({"indices": ["customers"]}, (Oddity.BEYOND,)),
            ({"indices": ["customers"], "event__action": "access_denied"}, ()),
            ({"indices": ["customers"], "action": "indices:admin/get"}, ()),
            ({"opaque_id": "web/web-00009-old"}, (Oddity.NOT_SERVING,)),
            ({"opaque_id": "", "indices": []}, ()),
            ({"user__name": "", "event__action": "authentication_failed"}, (Oddity.NO_IDENTITY,)),
            # Names that were only given, by anybody.
            ({"user__name": "ada", "event__action": "authentication_failed"}, (Oddity.NO_IDENTITY,)),
            ({"event__action": "realm_authentication_failed"}, (Oddity.NO_IDENTITY,)),
        ],
    )
    def test_what_no_declaration_explains_is_named(
        self, tmp_path: Path, changed: dict[str, Any], oddities: tuple[Oddity, ...]
    ) -> None:
        [row] = reported(tmp_path, line(**changed)).rows
        assert row.oddities == oddities

    def test_they_come_first(self, tmp_path: Path) -> None:
        rows = reported(tmp_path, line(), line(opaque_id="web/web-9"), line(user__name="zoe"), line(indices=["x"])).rows
        assert [row.oddities[:1] for row in rows] == [
            (Oddity.UNEXPLAINED,),
            (Oddity.BEYOND,),
            (Oddity.NOT_SERVING,),
            (),
        ]

    def test_a_key_is_explained_by_its_id_and_by_its_name_only_as_a_claim(self, tmp_path: Path) -> None:
        uses = [
            line(user__name="operator", apikey__id="k1", apikey__name="any"),
            line(user__name="operator", apikey__id="k0", apikey__name="searchaccess.default.shop/web.1"),
            line(user__name="operator", apikey__id="k9", apikey__name="mine"),
        ]
        declared = Known(known(key_id="k1").accesses, frozenset({"operator"}))
        rows = {row.key: row for row in reported(tmp_path, *uses, declared=declared).rows}
        assert (rows["any"].accesses, rows["any"].claimed_access) == (("shop/web",), False)
        old = rows["searchaccess.default.shop/web.1"]
        assert (old.accesses, old.claimed_access) == (("shop/web",), True)
        assert rows["mine"].oddities == (Oddity.UNEXPLAINED,)

    def test_a_unique_id_that_files_do_not_explain_is_said_to_be_in_the_status(self, tmp_path: Path) -> None:
        found = reported(tmp_path, line(user__name="103456789012345678901"))
        assert [row.oddities for row in found.rows] == [(Oddity.UNEXPLAINED,)]
        assert "only the status of a SearchAccess shows" in summary(found)
        assert summary(found).startswith("1 request in 1 row; 1 ")
        assert "only the status" not in summary(reported(tmp_path, line(user__name="somebody-else")))

    def test_the_operators_own_requests_are_left_out(self, tmp_path: Path) -> None:
        clusters: list[dict[str, Any]] = [
            {"status": {"login": {"user": "searchaccess-operator"}}},
            {"status": {}},
            {"status": {"login": 5}},
        ]
        declared = Known((), logins_of(clusters))
        assert reported(tmp_path, line(user__name="searchaccess-operator"), declared=declared).rows == ()

    @pytest.mark.parametrize(
        ("wanted", "number"),
        [
            (Wanted(index="orders-*"), 2),
            (Wanted(index="customers"), 1),
            (Wanted(service="web"), 3),
            (Wanted(service="shop/web"), 3),
            (Wanted(service=WEB), 3),
            (Wanted(service="other"), 0),
            (Wanted(denied=True), 1),
            (Wanted(findings=True), 1),
        ],
    )
    def test_only_what_is_wanted_is_reported(self, tmp_path: Path, wanted: Wanted, number: int) -> None:
        uses = [line(), line(indices=["orders-2"], event__action="access_denied"), line(indices=["customers"])]
        assert len(reported(tmp_path, *uses, wanted=wanted).rows) == number


class TestKnown:
    def test_a_search_access_is_read_with_what_its_status_says(self) -> None:
        raw = {
            "metadata": {"namespace": "shop", "name": "web"},
            "spec": {
                "cluster": "prod",
                "subject": {"cloudRunService": {"project": "p", "location": "l", "name": "web"}},
                "grants": [{"indices": ["orders-*"]}, {"indices": ["log"]}],
            },
            "status": {
                "identity": {
                    "principal": WEB,
                    "uniqueId": "103456789012345678901",
                    "latestReadyRevision": "web-2",
                    "revisions": [{"name": "web-1"}],
                    "outgoing": [
                        {"serviceAccount": "old@p.iam.gserviceaccount.com", "uniqueId": "103456789012345678902"}
                    ],
                },
                "credential": {"keyId": "k1", "username": "u1"},
            },
        }
        assert known_access(raw) == KnownAccess(
            namespace="shop",
            name="web",
            cluster="prod",
            principals=frozenset(
                {WEB, "103456789012345678901", "old@p.iam.gserviceaccount.com", "103456789012345678902"}
            ),
            key_id="k1",
            user="u1",
            patterns=("orders-*", "log"),
            workload="web",
            revisions=frozenset({"web-1", "web-2"}),
        )

    @pytest.mark.parametrize("raw", [{}, {"spec": 5, "status": []}, {"spec": {"grants": [5], "subject": "x"}}])
    def test_one_that_cannot_be_read_explains_nothing(self, raw: dict[str, Any]) -> None:
        assert known_access(raw).principals == frozenset()


class TestFormats:
    def test_events_are_valid_by_the_schema_of_ocsf(self, tmp_path: Path) -> None:
        schema = OcsfJsonSchemaEmbedded(get_ocsf_schema("1.5.0")).get_class_schema("datastore_activity", [])
        validator = Draft202012Validator(schema)
        uses = [line(action=action) for action in KINDS]
        uses += [line(event__action="access_denied"), line(user__name="", event__action="authentication_failed")]
        uses += [line(indices=[], opaque_id=""), line(apikey__id="k", apikey__name="n"), line(indices=["customers"])]
        made = list(events(reported(tmp_path, *uses), "1.0.0"))
        assert [error.message for event in made for error in validator.iter_errors(event)] == []
        assert len(made) > len(set(KINDS.values()))
        broken = made[0] | {"class_uid": "x"}
        assert list(validator.iter_errors(broken))

    def test_refused_requests_are_events_of_their_own(self, tmp_path: Path) -> None:
        made = list(events(reported(tmp_path, line(), line(event__action="access_denied"), line()), "1.0.0"))
        assert [(event["status_id"], event["count"]) for event in made] == [(1, 2), (2, 1)]

    def test_names_in_the_page_are_text_and_nothing_is_loaded(self, tmp_path: Path) -> None:
        evil = '<script src="https://evil.example.com/x.js"></script>'
        shown = page(reported(tmp_path, line(user__name=evil, indices=[evil])), evil)
        assert evil not in shown
        assert shown.count("&lt;script") == 4
        assert "default-src 'none'" in shown
        assert "<rect" in shown

    def test_an_empty_report_is_a_page_too(self, tmp_path: Path) -> None:
        assert "<svg" not in page(reported(tmp_path), "Nothing")


def test_a_log_without_events_is_not_said_to_be_without_findings_alone(tmp_path: Path) -> None:
    empty, lines, manifest = tmp_path / "empty.json", tmp_path / "lines.json", tmp_path / "all.yaml"
    empty.touch()
    lines.write_text(json.dumps(line()) + "\n")
    manifest.write_text(json.dumps(a_search_access()))
    for log, warned in ((empty, True), (lines, False)):
        done = CliRunner().invoke(app, ["audit", "-f", str(manifest), str(log)])
        assert done.exit_code == 0, done.output
        assert ("no event was read: check that auditing is on" in done.stderr) is warned
