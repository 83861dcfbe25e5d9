"""Each rule: what it finds, at which line, and what it does not."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from searchaccess.core.answers.lint.lint import worst
from searchaccess.core.answers.lint.model import Finding, Severity
from searchaccess.core.answers.lint.rules import RULES
from searchaccess.operator.answers.linting import lint_files
from tests.support.operatorprocess import ROOT
from tests.unit.answers.plan.manifests import a_cluster, a_policy, an_access, an_object
from tests.unit.builders import a_grant

NOW = datetime(2027, 1, 1, 10, tzinfo=UTC)
AGENT = {"searchaccess.dev/workload": "ai-agent"}
KEY: dict[str, Any] = {"auth": "ApiKey", "credential": {"store": "main", "name": "orders"}}
LIMITED = a_grant("orders-*", where={"term": {"region": "eu"}})


def found_in(folder: Path, *objects: Any, now: datetime = NOW) -> list[Finding]:
    file = folder / "all.yaml"
    file.write_text(
        "---\n".join(each if isinstance(each, str) else yaml.safe_dump(each, sort_keys=False) for each in objects)
    )
    return lint_files([file], now)


def one_grant(*indices: str, **more: Any) -> Any:
    return an_access(grants=[a_grant(*indices, **more)])


def raw(*names: str) -> Any:
    return an_access(grants=[{"indices": ["orders-*"], "privileges": list(names)}])


DENIES = a_policy("denies", deny=[{"indices": ["secret-*"]}])
CASES: dict[str, tuple[list[Any], list[Any], str]] = {
    # What it finds, what it does not, and the line that it points to.
    "SA001": (["kind: [\n# searchaccess.dev"], ["kind: [\n# a template {{ of }} something else"], ""),
    "SA002": ([one_grant("Orders")], [one_grant("orders")], "- indices:"),
    "SA003": (
        [an_access(), an_access()], [an_access(), an_access(namespace="other"), a_policy("orders")], "name: orders",
    ),
    "SA004": ([one_grant("secret-1"), DENIES], [one_grant("orders-1"), DENIES], "- indices:"),
    "SA005": (
        [one_grant("x-1"), a_policy(mode="Audit", allow=[{"indices": ["y"], "can": ["read"]}])],
        [one_grant("x-1"), a_policy(mode="Audit", allow=[{"indices": ["x-*"], "can": ["read"]}])],
        "- indices:",
    ),
    "SA006": ([an_access(), a_cluster("dev")], [an_access()], "cluster: prod"),
    "SA007": (
        [an_access(**KEY), a_cluster()],
        [an_access(**KEY), a_cluster(secretStores=[{"name": "main", "kubernetes": {}}])],
        "store: main",
    ),
    "SA008": (
        [an_access(), a_cluster(allowedNamespaces={"names": ["x"]})],
        [an_access(), a_cluster(allowedNamespaces={"names": ["shop"]})],
        "spec:",
    ),
    "SA009": (
        [an_access(annotations={"searchaccess.dev/lint-ignore": "SA010, SA999"})],
        [an_access(annotations={"searchaccess.dev/lint-ignore": "SA010 SA011,SA012"})],
        "searchaccess.dev/lint-ignore:",
    ),
    "SA010": ([one_grant("orders", "*")], [one_grant("orders-*")], "- '*'"),
    "SA011": ([one_grant("or*")], [one_grant("ord*", "a")], "- or*"),
    "SA012": ([one_grant("/[a-z]+-orders/")], [one_grant("/orders-[0-9]+/")], "- /[a-z]"),
    "SA013": ([raw("maintenance")], [one_grant("orders")], "privileges:"),
    "SA014": ([one_grant("orders", can=["manage"])], [one_grant("orders", can=["delete", "monitor"])], "can:"),
    "SA015": (
        [one_grant("orders", where={"match_all": {}})], [one_grant("orders", where={"term": {"a": 1}})], "where:",
    ),
    "SA016": (
        [an_access(labels=AGENT, grants=[a_grant("x", can=["read", "write"])])],
        [an_access(labels=AGENT, grants=[a_grant("x", can=["read", "append"])]), one_grant("x", can=["write"])],
        "can:",
    ),
    "SA017": (
        [an_access(labels=AGENT)],
        [an_access(labels=AGENT, validUntil="2027-02-01T00:00:00Z"), an_access("b")],
        "spec:",
    ),
    "SA018": ([an_access(labels=AGENT)], [an_access(labels=AGENT, grants=[LIMITED]), an_access("b")], "can:"),
    "SA019": (
        [an_access(service_account="123-compute@developer.gserviceaccount.com")], [an_access()], "serviceAccount:",
    ),
    "SA020": (
        [an_access(**{**KEY, "credential": {**KEY["credential"], "rotateEvery": "2161h"}})],
        [an_access(**{**KEY, "credential": {**KEY["credential"], "rotateEvery": "2160h"}})],
        "rotateEvery:",
    ),
    "SA021": ([an_access(**KEY)], [an_access()], "auth: ApiKey"),
    "SA022": (
        [an_access(validUntil="2027-01-01T09:00:00Z")], [an_access(validUntil="2027-01-01T11:00:00Z")], "validUntil:",
    ),
    "SA023": ([an_access(deletionPolicy="Orphan")], [an_access(deletionPolicy="Disable")], "deletionPolicy:"),
    "SA024": ([an_access(mode="Observe")], [an_access(mode="Enforce", suspend=False)], "mode:"),
    "SA025": (
        [an_access(limits={"requestsPerSecond": 5, "burst": 51})],
        [an_access(limits={"requestsPerSecond": 5, "burst": 50})],
        "burst:",
    ),
    "SA026": (
        [a_policy(limits={"kibana": False}, exceptions=[
            {"namespace": "a", "name": "b", "reason": "c", "until": "2027-01-01T09:00:00Z"}])],
        [a_policy(limits={"kibana": False}, exceptions=[
            {"namespace": "a", "name": "b", "reason": "c", "until": "2027-01-01T11:00:00Z"}])],
        "- namespace: a",
    ),
    "SA027": ([a_policy(mode="Audit", limits={"kibana": False})], [a_policy()], "mode: Audit"),
    "SA028": ([a_cluster()], [a_cluster(allowedNamespaces={"names": ["shop"]})], "spec:"),
    "SA029": ([an_object("SearchAccess", "x", an_access()["spec"])], [an_access(), a_policy()], "metadata:"),
}  # fmt: skip


def test_each_rule_has_a_case_and_an_id_of_its_own_in_order() -> None:
    assert [rule.id for rule in RULES] == list(CASES) == [f"SA{number:03}" for number in range(1, len(RULES) + 1)]
    assert len({rule.name for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("id", CASES)
def test_a_rule_finds_what_it_is_for_at_its_line_and_nothing_else(tmp_path: Path, id: str) -> None:  # noqa: A002
    wrong, right, line = CASES[id]
    found = [each for each in found_in(tmp_path, *wrong) if each.rule.id == id]
    assert found, f"{id} finds nothing"
    if line:
        text = (tmp_path / "all.yaml").read_text().splitlines()
        assert text[found[0].position.line - 1].strip().startswith(line)
    assert not [each for each in found_in(tmp_path, *right) if each.rule.id == id]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_an_annotation_ignores_a_rule_unless_the_api_server_would_refuse(tmp_path: Path, rule: Any) -> None:
    wrong = [yaml.safe_load(yaml.safe_dump(each)) for each in CASES[rule.id][0] if not isinstance(each, str)]
    for each in wrong:
        each["metadata"].setdefault("annotations", {}).setdefault("searchaccess.dev/lint-ignore", rule.id)
    found = [each for each in found_in(tmp_path, *wrong) if each.rule is rule]
    assert {each.ignored for each in found} <= {rule.ignorable}
    assert bool(found) is bool(wrong)


def test_all_problems_of_an_object_are_found_at_their_lines(tmp_path: Path) -> None:
    bad = one_grant("orders", can=["raed"])
    bad["spec"]["grants"].append({"indices": [], "can": ["read"], "extra": 1})
    bad["spec"]["mode"] = "Enforced"
    found = {each.path: each for each in found_in(tmp_path, bad) if each.rule.id == "SA002"}
    assert {"spec.grants[0].can[0]", "spec.grants[1].indices", "spec.grants[1].extra", "spec.mode"} <= found.keys()
    text = (tmp_path / "all.yaml").read_text().splitlines()
    assert text[found["spec.grants[1].extra"].position.line - 1].strip() == "extra: 1"
    assert "there is no such field" in found["spec.grants[1].extra"].message


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ({"kind": "SearchAcces"}, "there is no kind SearchAcces"),
        ({"apiVersion": "searchaccess.dev/v9"}, "searchaccess.dev/v9"),
        ({"metadata": {}}, "metadata.name"),
        ({"metadata": []}, "metadata.name"),
        ({"metadata": {"name": "a\x1b|<b>", "namespace": "shop"}}, "metadata.name"),
        ({"metadata": {"name": "a", "namespace": "a/b"}}, "metadata.namespace"),
        ({"spec": []}, "spec"),
        ({"spec": None}, "spec"),
    ],
)
def test_what_is_no_object_of_ours_is_invalid(tmp_path: Path, broken: dict[str, Any], says: str) -> None:
    found = [each for each in found_in(tmp_path, {**an_access(), **broken}) if each.rule.id == "SA002"]
    assert found
    assert says in found[0].message


def test_items_of_a_list_and_json_have_positions(tmp_path: Path) -> None:
    file = tmp_path / "list.json"
    file.write_text('{"apiVersion": "v1", "kind": "List", "items": [\n' + json.dumps(one_grant("*")) + "]}")
    found = [each for each in lint_files([file], NOW) if each.rule.id == "SA010"]
    assert [each.position.line for each in found] == [2]
    assert found[0].position.column > 1


def test_files_of_others_are_left_out_and_hidden_folders_too(tmp_path: Path) -> None:
    (tmp_path / "chart.yaml").write_text("{{- if .Values.x }}\nkind: [")
    (tmp_path / "other.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.yaml").write_text(yaml.safe_dump(one_grant("*")))
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "text.txt").write_text("searchaccess.dev: [")
    assert lint_files([tmp_path], NOW) == []


@pytest.mark.parametrize("text", ["&a [*a]", "a: &a [" + "[" * 3000, "!!python/object:os.system x", "? [1]\n: 2"])
def test_odd_yaml_with_our_name_is_reported_or_left_out_and_never_raises(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.yaml").write_text(f"# searchaccess.dev\n{text}\n")
    assert {each.rule.id for each in lint_files([tmp_path], NOW)} <= {"SA001"}


def test_aliases_that_multiply_do_not_take_long(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}]" for n in range(1, 30)]
    (tmp_path / "x.yaml").write_text("apiVersion: v1\n" + "\n".join(lines))
    assert lint_files([tmp_path], NOW) == []


def test_the_worst_that_is_not_ignored_counts(tmp_path: Path) -> None:
    note = found_in(tmp_path, a_cluster())
    assert worst(note) is Severity.NOTE
    assert worst([*note, *found_in(tmp_path, one_grant("*"))]) is Severity.WARNING
    ignored = found_in(
        tmp_path, an_access(grants=[a_grant("*")], annotations={"searchaccess.dev/lint-ignore": "SA010"})
    )
    assert [each.ignored for each in ignored] == [True]
    assert worst(ignored) is None
    assert worst([]) is None


def test_the_fingerprint_stays_when_lines_move(tmp_path: Path) -> None:
    one = found_in(tmp_path, one_grant("*"))
    moved = found_in(tmp_path, "# a comment\n", one_grant("*"))
    assert [each.fingerprint for each in one] == [each.fingerprint for each in moved]
    assert one[0].position != moved[0].position
    assert one[0].fingerprint != found_in(tmp_path, one_grant("**"))[0].fingerprint


def test_the_examples_have_no_warning() -> None:
    found = [each for each in lint_files([ROOT / "examples"], NOW) if each.rule.severity is not Severity.NOTE]
    # A person fills in the store.
    assert [(each.rule.id, each.name) for each in found] == [("SA007", "shop/orders-legacy")]


def test_half_a_character_is_unreadable_at_its_line_and_a_pair_is_a_character(tmp_path: Path) -> None:
    given = 'apiVersion: searchaccess.dev/v1alpha1\nkind: SearchAccess\nmetadata: {name: "x%s", namespace: shop}\n'
    (tmp_path / "half.yaml").write_text(given % r"\ud800")
    (tmp_path / "pair.yaml").write_text(given % r"\ud83d\ude00")
    found = lint_files([tmp_path])
    assert [(each.rule.id, each.position.line) for each in found if each.file.endswith("half.yaml")] == [("SA001", 3)]
    assert {each.name for each in found if each.file.endswith("pair.yaml")} == {"shop/x\N{GRINNING FACE}"}
