"""A recommendation is narrower, valid, and never takes away what was used."""

from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchaccess.adapters.auditlogs.files import read_gateway
from searchaccess.core.answers.audit import tally as tallies
from searchaccess.core.answers.audit.tally import ALWAYS, ELASTICSEARCH, GATEWAY, Tally
from searchaccess.core.answers.recommend.advice import advise, window_of
from searchaccess.core.answers.recommend.narrow import Used, narrow
from searchaccess.core.model.parsing import access_from_object
from tests.support.runs.effort import examples
from tests.unit.answers.audit.lines import WEB, counted, line, request, written

AT = datetime(2026, 11, 29, 12, tzinfo=UTC)
SUBJECT = {"serviceAccount": WEB}


def spec(*grants: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"cluster": "prod", "subject": SUBJECT, "grants": list(grants)} | more


def used(kind: str, index: str = "", through: str = ELASTICSEARCH) -> Used:
    return Used(kind, index, 1, AT, through)


ORDERS = {"indices": ["orders-*", "log"], "can": ["read", "write", "delete"], "where": {"term": {"region": "eu"}}}


class TestNarrowing:
    def test_actions_that_no_request_needed_go(self) -> None:
        narrowed = narrow(spec(ORDERS), [used("read", "orders-1"), used("read", "log")])
        assert narrowed.spec == spec(ORDERS | {"can": ["read"]})
        assert [(item.path, item.what) for item in narrowed.removals] == [
            ("spec.grants[0].can[1]", "write"),
            ("spec.grants[0].can[2]", "delete"),
        ]

    def test_patterns_that_match_no_index_that_was_used_go(self) -> None:
        narrowed = narrow(spec(ORDERS | {"can": ["read"]}), [used("read", "orders-1")])
        assert narrowed.spec == spec(ORDERS | {"can": ["read"], "indices": ["orders-*"]})

    def test_a_grant_is_split_where_its_indices_need_different_actions(self) -> None:
        narrowed = narrow(spec(ORDERS), [used("read", "orders-1"), used("write", "log")])
        assert narrowed.spec == spec(
            ORDERS | {"indices": ["orders-*"], "can": ["read"]}, ORDERS | {"indices": ["log"], "can": ["write"]}
        )
        whole = narrow(spec(ORDERS), [used("read", "orders-1"), used("write", "log")], splitting=False)
        assert whole.spec == spec(ORDERS | {"can": ["read", "write"]})

    def test_a_grant_that_was_not_used_goes(self) -> None:
        other = {"indices": ["customers"], "can": ["read"]}
        narrowed = narrow(spec(ORDERS, other), [used("read", "customers")])
        assert narrowed.spec == spec(other)

    def test_what_is_used_as_declared_stays_as_it_is(self) -> None:
        uses = [used(kind, index) for kind in ("read", "write", "delete") for index in ("orders-1", "log")]
        narrowed = narrow(spec(ORDERS), uses)
        assert (narrowed.spec, narrowed.removals) == (spec(ORDERS), ())

    def test_cluster_rights_go_if_no_request_was_for_the_cluster(self) -> None:
        declared = spec({"indices": ["log"], "can": ["read"]}, clusterCan=["monitor"])
        narrowed = narrow(declared, [used("read", "log")])
        assert narrowed.spec is not None
        assert "clusterCan" not in narrowed.spec
        assert narrow(declared, [used("read", "log"), used("cluster")]).spec == declared

    @pytest.mark.parametrize("uses", [[], [used("cluster")]])
    def test_without_any_use_nothing_would_remain(self, uses: list[Used]) -> None:
        narrowed = narrow(spec(ORDERS), uses)
        assert narrowed.spec is None
        assert "delete it if this time is long enough" in narrowed.notes[-1]


class TestCaution:
    @pytest.mark.parametrize(
        ("use", "kept"),
        [
            (used("read"), ["read"]),
            (used("write", "an-alias"), ["write"]),
            (used("other"), ["read", "write", "delete"]),
            (used("manage", "orders-1"), ["read", "write", "delete"]),
            (used("bulk"), ["write", "delete"]),
            (used("bulk", "orders-1", GATEWAY), ["read", "write", "delete"]),
        ],
        ids=["no index", "an alias", "unknown action", "nothing allows it", "a filtered bulk request", "a bulk path"],
    )
    def test_what_may_need_a_grant_keeps_it(self, use: Used, kept: list[str]) -> None:
        declared = spec(ORDERS | {"indices": ["orders-*"]})
        narrowed = narrow(declared, [use])
        assert narrowed.spec is not None
        assert narrowed.spec["grants"][0]["can"] == kept

    @pytest.mark.parametrize(
        ("uses", "grants"),
        [
            pytest.param(
                [used("unknown", "orders-1")], [ORDERS | {"indices": ["orders-*"]}], id="an event without action"
            ),
            pytest.param(
                [used("read", "*", GATEWAY)],
                [{"indices": ["*"], "can": ["monitor"]}, {"indices": ["log"], "can": ["read"]}],
                id="a pattern in a request",
            ),
            pytest.param(
                [used("read", "lo*", GATEWAY)],
                [{"indices": ["l*"], "can": ["read"]}, {"indices": ["log"], "can": ["read"]}],
                id="a pattern in a request that several grants allow",
            ),
            pytest.param(
                [used("read", "…")],
                [{"indices": ["*"], "can": ["read"]}, {"indices": ["log"], "can": ["read"]}],
                id="indices that are not told apart",
            ),
            pytest.param(
                [used("write", "orders-1")],
                [{"indices": ["orders-*"], "can": ["monitor"]}, {"indices": ["an-alias"], "can": ["write"]}],
                id="an alias of an index that another grant names",
            ),
            pytest.param(
                [used("append", "log", GATEWAY)], [{"indices": ["log"], "can": ["append", "create"]}], id="a new index"
            ),
            pytest.param(
                [used("bulk", "log", GATEWAY)],
                [{"indices": ["log"], "can": ["write", "create"]}],
                id="a bulk's new index",
            ),
        ],
    )
    def test_nothing_goes_where_it_is_not_certain(self, uses: list[Used], grants: list[dict[str, Any]]) -> None:
        narrowed = narrow(spec(*grants), uses)
        assert narrowed.spec is not None
        assert grants[-1] in narrowed.spec["grants"]

    @pytest.mark.parametrize("kind", ["read", "bulk", "write", "other"])
    def test_a_request_through_the_gateway_may_use_an_index_that_only_its_body_or_a_pipeline_names(
        self, kind: str
    ) -> None:
        declared = spec(*({"indices": [name], "can": ["read", "write"]} for name in ("orders-*", "lists", "archive")))
        kept = narrow(declared, [used(kind, "orders-1", GATEWAY)])
        assert kept.spec is not None
        assert [grant["indices"] for grant in kept.spec["grants"]] == [["orders-*"], ["lists"], ["archive"]]
        assert "gateway's log does not show" in kept.notes[0]
        logged = narrow(declared, [used("read", "orders-1")])
        assert logged.spec == spec({"indices": ["orders-*"], "can": ["read"]})

    def test_a_request_through_the_gateway_whose_path_says_all_keeps_no_other_grant(self) -> None:
        grants = [{"indices": [name], "can": ["delete", "monitor"]} for name in ("orders-*", "lists")]
        narrowed = narrow(spec(*grants), [used("delete", "orders-1", GATEWAY), used("monitor", "orders-1", GATEWAY)])
        assert (narrowed.spec, narrowed.notes) == (spec(grants[0]), ())

    @pytest.mark.parametrize(
        "uses", [used("read", "", GATEWAY), used("read", "log", GATEWAY), used("bulk", "", GATEWAY)]
    )
    def test_a_query_through_the_gateway_may_need_cluster_rights_of_its_own(self, uses: Used) -> None:
        can = ["read_ilm", "monitor", "monitor_enrich", "monitor_esql", "monitor_inference"]
        declared = spec({"indices": ["log"], "can": ["read"]}, clusterCan=can)
        narrowed = narrow(declared, [uses])
        assert narrowed.spec == declared | {"clusterCan": can[1:]}
        assert [item.what for item in narrowed.removals] == ["read_ilm"]
        logged = narrow(declared, [used("read", "log")])
        assert logged.spec == spec({"indices": ["log"], "can": ["read"]})

    def test_cluster_rights_stay_after_a_request_whose_action_is_not_known(self) -> None:
        declared = spec({"indices": ["log"], "can": ["read"]}, clusterCan=["manage_ingest_pipelines"])
        assert narrow(declared, [used("read", "log"), used("other", "", GATEWAY)]).spec == declared

    def test_a_bulk_request_whose_items_were_logged_needs_nothing_more(self) -> None:
        narrowed = narrow(spec(ORDERS), [used("bulk"), used("write", "orders-1")])
        assert narrowed.spec == spec(ORDERS | {"indices": ["orders-*"], "can": ["write"]})

    def test_raw_privileges_stay_where_an_index_was_used(self) -> None:
        raw = {"indices": ["orders-*", "log"], "can": ["read"], "privileges": ["maintenance"]}
        narrowed = narrow(spec(raw), [used("read", "log")])
        assert narrowed.spec == spec(raw | {"indices": ["log"]})
        assert "raw privileges" in narrowed.notes[0]

    def test_metadata_need_the_narrowest_action_that_shows_them(self) -> None:
        grant = {"indices": ["log"], "can": ["read", "monitor", "write"]}
        narrowed = narrow(spec(grant), [used("metadata", "log"), used("monitor", "log")])
        assert narrowed.spec == spec(grant | {"can": ["monitor"]})

    def test_what_is_used_on_other_clusters_stays(self) -> None:
        remote = {"remoteClusters": ["eu"], "indices": ["orders-*"], "can": ["read"]}
        narrowed = narrow(spec(remote, ORDERS), [used("read", "log")])
        assert narrowed.spec is not None
        assert narrowed.spec["grants"][0] == remote


ALLOWS = {
    "read": {"read", "metadata"},
    "append": {"append"},
    "write": {"write", "append"},
    "create": {"create"},
    "delete": {"delete"},
    "monitor": {"monitor", "metadata"},
    "manage": {"manage", "monitor", "metadata", "create"},
}
"""Which kinds of use an action allows: written down independently."""
PATTERNS = st.sampled_from(["a*", "ab*", "*b", "abc", "b", "a?c", "*"])
NAMES = st.sampled_from(["a", "ab", "abc", "b", "axb", "zzz", ""])
GRANTS = st.fixed_dictionaries(
    {
        "indices": st.lists(PATTERNS, min_size=1, max_size=3, unique=True),
        "can": st.lists(st.sampled_from(sorted(ALLOWS)), min_size=1, max_size=4, unique=True),
    }
)
KINDS = st.sampled_from(["read", "metadata", "append", "write", "create", "delete", "monitor", "manage"])


def allows(declared: dict[str, Any], kind: str, index: str) -> bool:
    return any(
        kind in ALLOWS[action] and any(fnmatchcase(index, pattern) for pattern in grant["indices"])
        for grant in declared.get("grants", ())
        for action in grant.get("can", ())
    )


@settings(max_examples=examples(300))
@given(grants=st.lists(GRANTS, min_size=1, max_size=4), uses=st.lists(st.tuples(KINDS, NAMES), max_size=6))
def test_it_still_allows_each_use_and_is_valid(grants: list[dict[str, Any]], uses: list[tuple[str, str]]) -> None:
    declared = spec(*grants)
    were_allowed = [(kind, index) for kind, index in uses if index and allows(declared, kind, index)]
    narrowed = narrow(declared, [used(kind, index) for kind, index in uses])
    if narrowed.spec is None:
        assert were_allowed == []
        return
    assert [use for use in were_allowed if not allows(dict(narrowed.spec), *use)] == []
    raw = {"metadata": {"namespace": "shop", "name": "web", "uid": "u", "generation": 1}, "spec": narrowed.spec}
    assert access_from_object(raw).invalid == ""
    # Nothing is added.
    everything = [(kind, index) for kind in ALLOWS for index in ("a", "ab", "abc", "b", "axb", "zzz")]
    assert [use for use in everything if allows(dict(narrowed.spec), *use) and not allows(declared, *use)] == []


OTHER = {"subject": {"serviceAccount": "x@acme-shop.iam.gserviceaccount.com"}}
KEY = OTHER | {"credential": {"store": "main", "name": "orders"}}
RAW = {"metadata": {"namespace": "shop", "name": "web"}, "spec": spec(ORDERS)}


class TestAdvice:
    def test_it_shows_the_change_and_the_evidence(self, tmp_path: Path) -> None:
        [advice] = advise([RAW], counted(tmp_path, line(), line(timestamp="2026-11-29T23:06:57,525+0000")))
        assert (advice.path, advice.requests) == ("shop/web", 2)
        assert "-    - delete" in advice.diff
        assert "+    - orders-*" not in advice.diff
        data = advice.data()
        assert data["lastUsed"] == "2026-11-29T23:06:57+00:00"
        assert {item["value"] for item in data["unused"]} == {"log", "write", "delete"}

    def test_refused_requests_are_no_use(self, tmp_path: Path) -> None:
        [advice] = advise([RAW], counted(tmp_path, line(event__action="access_denied")))
        assert (advice.after, advice.requests, advice.diff) == (None, 0, "")

    def test_nothing_is_unused_where_logs_do_not_tell_callers_apart(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tallies, "MOST_ENTRIES", 10)
        keyed = RAW | {"spec": spec(ORDERS) | KEY | {"auth": "ApiKey"}, "status": {"credential": {"keyId": "k"}}}
        noise = [line(user__name="x", indices=[f"i-{number}"], opaque_id=f"a/a-{number}") for number in range(30)]
        [advice] = advise([keyed], counted(tmp_path, *noise, line(user__name="owner", apikey__id="k")))
        assert (advice.decided, advice.removals, advice.diff) == (False, (), "")
        assert "too many combinations" in advice.notes[0]
        [advice] = advise([keyed], counted(tmp_path, line(user__name="owner", apikey__id="k"), *noise))
        assert (advice.decided, bool(advice.removals)) == (True, True), "its use is known"

    def test_one_that_is_invalid_gets_no_advice(self, tmp_path: Path) -> None:
        broken = {"metadata": {"namespace": "shop", "name": "broken"}, "spec": {"grants": 5}}
        assert [item.path for item in advise([broken, RAW], counted(tmp_path, line()))] == ["shop/web"]

    def test_a_use_counts_for_each_access_of_the_principal(self, tmp_path: Path) -> None:
        other = {"metadata": {"namespace": "reports", "name": "web"}, "spec": spec(ORDERS)}
        found = advise([RAW, other], counted(tmp_path, line()))
        assert [(item.path, item.requests) for item in found] == [("reports/web", 1), ("shop/web", 1)]

    def test_what_would_be_invalid_is_not_split(self, tmp_path: Path) -> None:
        many = [f"index-{number}" for number in range(60)]
        grants = [{"indices": many[start : start + 2], "can": ["read", "write"]} for start in range(0, 60, 2)]
        raw = {"metadata": {"namespace": "shop", "name": "web"}, "spec": spec(*grants)}
        events = [line(indices=[name]) for name in many[::2]]
        events += [line(indices=[name], action="indices:data/write/index:op_type/index") for name in many[1::2]]
        [advice] = advise([raw], counted(tmp_path, *events))
        assert advice.after == raw["spec"]
        assert advice.removals == ()

    def test_the_window_is_that_of_all_events(self, tmp_path: Path) -> None:
        window = window_of(counted(tmp_path, line(), line(user__name="x", timestamp="2026-11-30T23:05:57,525+0000")))
        assert window.days == 1.0
        assert window_of(Tally(ALWAYS)).days == 0.0

    @pytest.mark.parametrize(
        ("spec_", "status", "stays"),
        [
            (
                {"subject": {"cloudRunService": {"project": "acme-shop", "location": "europe-west1", "name": "x"}}},
                {},
                True,
            ),
            (
                {"subject": {"cloudRunService": {"project": "acme-shop", "location": "europe-west1", "name": "x"}}},
                {"identity": {"principal": "x@acme-shop.iam.gserviceaccount.com"}},
                False,
            ),
            (OTHER, {}, False),
            (KEY | {"auth": "Password"}, {}, True),
            (KEY | {"auth": "Password"}, {"credential": {"username": "x"}}, False),
            (KEY | {"auth": "ApiKey"}, {}, False),
        ],
        ids=[
            "callers that only the status names",
            "callers in the status",
            "callers in the spec",
            "a user that only the status names",
            "a user in the status",
            "a key",
        ],
    )
    def test_one_whose_callers_are_not_known_is_not_unused(
        self, tmp_path: Path, spec_: dict[str, Any], status: dict[str, Any], stays: object
    ) -> None:
        raw = RAW | {"spec": spec(ORDERS) | spec_, "status": status}
        [advice] = advise([raw], counted(tmp_path, line()))
        assert (advice.after == raw["spec"], bool(advice.notes)) == (stays, True)
        assert advice.removals == ()

    @pytest.mark.parametrize(
        ("identity", "decided"),
        [
            ({}, False),
            ({"principal": "103456789012345678902"}, True),
            ({"principal": "x@acme-shop.iam.gserviceaccount.com"}, True),
        ],
    )
    def test_callers_with_unique_ids_for_names_are_no_evidence_against_one_whose_id_is_not_known(
        self, tmp_path: Path, identity: dict[str, str], decided: object
    ) -> None:
        raw = RAW | {"spec": spec(ORDERS) | OTHER, "status": {"identity": identity}}
        [advice] = advise([raw], counted(tmp_path, line(user__name="103456789012345678901")))
        assert (advice.decided, advice.after is None) == (decided, decided)
        known = RAW | {"status": {"identity": {"principal": WEB, "uniqueId": "103456789012345678901"}}}
        by_id = {
            item.path: item for item in advise([known], counted(tmp_path, line(user__name="103456789012345678901")))
        }
        assert by_id["shop/web"].requests == 1

    @pytest.mark.parametrize(("auth", "decided"), [("ApiKey", False), ("Password", False), ("IdentityToken", True)])
    def test_the_gateways_log_is_no_evidence_against_a_credential(
        self, tmp_path: Path, auth: str, decided: object
    ) -> None:
        own = OTHER if auth == "IdentityToken" else KEY | {"auth": auth}
        raw = RAW | {"spec": spec(ORDERS) | own, "status": {"credential": {"username": "x"}}}
        counts = Tally(ALWAYS)
        read_gateway([written(tmp_path, request(), name="gateway.log")], counts, lambda _done, _total: None)
        [advice] = advise([raw], counts)
        assert (advice.decided, advice.after is None) == (decided, decided)
        [logged] = advise([raw], counted(tmp_path, line(), tally=counts))
        assert logged.decided

    @pytest.mark.parametrize(("limit", "key", "token"), [(1, False, False), (2, True, True), (10, True, True)])
    def test_logs_of_too_many_callers_are_no_evidence(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int, key: object, token: object
    ) -> None:
        monkeypatch.setattr(tallies, "MOST_ENTRIES", limit)
        others = [line(user__name=f"user-{number}", indices=["a"]) for number in range(5)]
        key_access = {"metadata": {"namespace": "shop", "name": "key"}, "spec": spec(ORDERS) | KEY | {"auth": "ApiKey"}}
        by_path = {item.path: item.decided for item in advise([RAW, key_access], counted(tmp_path, line(), *others))}
        assert by_path == {"shop/key": key, "shop/web": token}

    def test_the_logs_of_one_cluster_are_no_evidence_about_another(self, tmp_path: Path) -> None:
        idle = {"metadata": {"namespace": "shop", "name": "idle"}, "spec": spec(ORDERS) | OTHER}
        elsewhere = {"metadata": {"namespace": "shop", "name": "far"}, "spec": spec(ORDERS) | OTHER | {"cluster": "eu"}}
        found = {item.path: item for item in advise([RAW, idle, elsewhere], counted(tmp_path, line()))}
        assert {path: item.decided for path, item in found.items()} == {
            "shop/far": False, "shop/idle": True, "shop/web": True,
        }  # fmt: skip
        assert "no request to SearchCluster eu is in the logs" in found["shop/far"].notes[0]

    def test_logs_without_any_event_are_no_evidence(self, tmp_path: Path) -> None:
        [advice] = advise([RAW], counted(tmp_path))
        assert (advice.after, advice.requests) == (RAW["spec"], 0)
        assert "no events" in advice.notes[0]
