"""`searchaccess findings` on real servers: a foreign role mapping and drift are found, suppressed, and fixed."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.stack.go_files import OPENREPORTS, POLICY_REPORTS, GoFiles, ensure_files
from tests.support.waiting import eventually
from tests.support.worlds.arena import PATIENCE, Arena
from tests.support.worlds.world import access, account, grant
from tests.unit.cli.program import warm

pytestmark = pytest.mark.timeout(300)

BROAD = {"indices": [{"names": ["bills-*"], "privileges": ["read"]}]}
WIDER = {"indices": [{"names": ["bills-*", "wages-*"], "privileges": ["read"]}]}
MAPPING = "findings-by-hand"
ROLE = "findings-ops"


class Pipeline:
    """What a pipeline does: it keeps each result for the next run."""

    def __init__(self, field: Arena, folder: Path) -> None:
        self.folder = folder
        self.server = ("--kubeconfig", str(field.kubernetes.kubeconfig))
        self.last: Path | None = None
        self.runs = 0
        self.decisions: list[dict[str, Any]] = []

    def run(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Run it once; return the exit code and the result."""
        done = warm(self.folder, "findings", "-A", *self.server, *self.options(), "-o", "json", *arguments)
        assert done.stdout, done.stderr
        self.runs += 1
        self.last = self.folder / f"{self.runs}.json"
        self.last.write_text(done.stdout)
        return done.returncode, json.loads(done.stdout)

    def options(self) -> tuple[str, ...]:
        file = self.folder / "suppressions.yaml"
        file.write_text(yaml.safe_dump(self.decisions))
        return ("--suppressions", str(file), *(("--baseline", str(self.last)) if self.last else ()))

    def printed(self, output: str) -> str:
        """Return the same in another format, without a new result."""
        arguments = ("findings", "-A", *self.server, *self.options(), "-o", output, "--fail-on", "never")
        return warm(self.folder, *arguments, check=0).stdout

    def until(self, kind: str, state: str, what: str = "") -> dict[str, Any]:
        """Run it until a finding is in a state; return it as that run has it."""
        seen: list[Any] = []

        def observe() -> dict[str, Any]:
            before = self.last
            _, result = self.run()
            seen[:] = result["findings"]
            for each in result["findings"]:
                if (each["kind"], each["state"]) == (kind, state) and what in json.dumps(each):
                    return dict(each)
            # The next try compares with the same result as this one.
            self.last = before
            return {}

        return eventually(observe, within=PATIENCE, every=0.5, what=f"{kind} is {state}: {seen}")


def of_kind(result: dict[str, Any], kind: str) -> list[tuple[str, str | None]]:
    return [(each["state"], each["change"]) for each in result["findings"] if each["kind"] == kind]


def test_a_foreign_role_mapping_is_open_suppressed_wider_and_fixed(field: Arena, tmp_path: Path) -> None:
    world, pipeline = field.world, Pipeline(field, tmp_path)
    world.apply(field.cluster(), access("orders", grant("orders-*")), access("other", grant("other-*")))
    admin = world.admin
    with field.running():
        field.until_in_sync(2)
        code, clean = pipeline.run()
        assert (code, of_kind(clean, "broader-than-declared")) == (0, [])

        admin.put(f"/_security/role/{ROLE}", json=BROAD).raise_for_status()
        rules = {"enabled": True, "roles": [ROLE], "rules": {"field": {"username": account("orders")}}}
        admin.put(f"/_security/role_mapping/{MAPPING}", json=rules).raise_for_status()
        try:
            opened = pipeline.until("broader-than-declared", "Open")
            assert (opened["change"], opened["object"]["name"], opened["what"]) == (
                "New", "orders", ["RoleMapping", MAPPING, ROLE]
            )  # fmt: skip
            assert "read on bills-*" in opened["title"]
            assert pipeline.run()[0] == 3

            until = (datetime.now(UTC) + timedelta(days=7)).isoformat(timespec="seconds")
            decision = {"id": opened["id"], "reason": "a migration", "by": "ada", "until": until}
            pipeline.decisions = [decision | {"content": opened["content"]}]
            code, result = pipeline.run()
            assert (code, of_kind(result, "broader-than-declared")) == (0, [("Suppressed", "Unchanged")])

            # The same role gives more: nobody decided about that.
            admin.put(f"/_security/role/{ROLE}", json=WIDER).raise_for_status()
            wider = pipeline.until("broader-than-declared", "Open")
            assert (wider["id"], wider["suppression"]["effect"]) == (opened["id"], "OtherContent")
            assert wider["firstSeen"] == opened["firstSeen"]
        finally:
            admin.delete(f"/_security/role_mapping/{MAPPING}").raise_for_status()
            admin.delete(f"/_security/role/{ROLE}").raise_for_status()
        fixed = pipeline.until("broader-than-declared", "Fixed")
        assert (fixed["id"], fixed["change"]) == (opened["id"], "Fixed")
        code, result = pipeline.run()
        assert (code, of_kind(result, "broader-than-declared")) == (0, [("Fixed", "Unchanged")])
        assert [each["id"] for each in result["staleSuppressions"]] == [opened["id"]]


def test_drift_that_is_only_observed_is_open_until_it_is_corrected(field: Arena, tmp_path: Path) -> None:
    world, pipeline = field.world, Pipeline(field, tmp_path)
    world.apply(field.cluster(), access("orders", grant("orders-*")))
    with field.running():
        field.until_in_sync(1)
        world.patch("orders", {"spec": {"mode": "Observe"}})
        pipeline.until("only-observed", "Open")
        role = world.role("orders")
        role["indices"][0]["privileges"] = ["all"]
        world.write_role("orders", role)
        opened = pipeline.until("drift", "Open", "privileges")
        assert (opened["change"], opened["severity"]) == ("New", "high")
        world.patch("orders", {"spec": {"mode": "Enforce"}})
        fixed = pipeline.until("drift", "Fixed")
        assert fixed["id"] == opened["id"]
        pipeline.until("only-observed", "Fixed")


@pytest.mark.parametrize(
    ("output", "kinds", "plural"),
    [("openreports", OPENREPORTS, "reports"), ("policyreport", POLICY_REPORTS, "policyreports")],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_api_server_takes_reports_by_the_definitions_of_their_kinds(
    field: Arena, tmp_path: Path, output: str, kinds: GoFiles, plural: str
) -> None:
    world, pipeline = field.world, Pipeline(field, tmp_path)
    group = "openreports.io" if output == "openreports" else "wgpolicyk8s.io"
    field.kubernetes.install_kinds(ensure_files(kinds))
    world.apply(field.cluster(), access("orders", grant("orders-*")))
    with field.running():
        field.until_in_sync(1)
        world.patch("orders", {"spec": {"suspend": True}})
        opened = pipeline.until("suspended", "Open")

        def apply() -> dict[str, Any]:
            # kubectl refuses fields that the definition does not have.
            apply = ("apply", "--server-side", "--validate=strict", "-f", "-")
            field.kubernetes.run_kubectl(*apply, input=pipeline.printed(output))
            name = ("get", f"{plural}.{group}", "searchaccess", "-n", "shop", "-o", "json")
            return dict(json.loads(field.kubernetes.run_kubectl(*name).stdout))

        first = apply()
        assert [(each["policy"], each["rule"], each["result"]) for each in first["results"]] == [
            ("suspended", opened["id"], "fail")
        ]
        assert first["summary"]["fail"] == 1
        assert apply()["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"], "nothing was written"
        world.patch("orders", {"spec": {"suspend": False}})
        pipeline.until("suspended", "Fixed")
        pipeline.run()
        assert apply()["results"] == []
        field.kubernetes.run_kubectl("delete", f"{plural}.{group}", "--all", "-n", "shop")
