"""Runs that change nothing: what they say, with which rights, and that nothing is written anywhere."""

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.commands.observers import READER, observer_in
from tests.integration.commands.test_once import process
from tests.support.failures.odd import queries
from tests.support.servers.proxy import Seen
from tests.support.worlds.arena import Arena
from tests.support.worlds.world import CLUSTER, SYSTEM, access, account, grant

pytestmark = pytest.mark.timeout(300)

AUDITED = {
    "apiVersion": "searchaccess.dev/v1alpha1",
    "kind": "SearchAccessPolicy",
    "metadata": {"name": "only-logs"},
    "spec": {"mode": "Audit", "allow": [{"indices": ["logs-*"], "can": ["read"]}]},
}


@pytest.fixture
def kubeconfig(field: Arena) -> Path:
    """Of a ServiceAccount that may only read, and no Secret; the login to Elasticsearch may only read, too."""
    return observer_in(field)


def command_of(field: Arena, kubeconfig: Path, *arguments: str) -> list[str]:
    command = process(field, "--once", "--observe", *arguments)
    command[command.index("--kubeconfig") + 1] = str(kubeconfig)
    return command


def observe(field: Arena, kubeconfig: Path, *arguments: str, own_login: bool = True) -> tuple[int, Any]:
    login = ("--elasticsearch-login", f"file:{field.folder / 'login'}") if own_login else ()
    command = command_of(field, kubeconfig, *login, *arguments)
    marks = [(proxy, proxy.mark()) for proxy in (field.api, field.elasticsearch)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    (field.folder / "observe.log").write_text(done.stderr)
    assert done.stdout, done.stderr
    assert [seen for proxy, mark in marks for seen in proxy.since(mark, writes)] == []
    return done.returncode, json.loads(done.stdout) if "json" in arguments else done.stdout


def writes(seen: Seen) -> bool:
    return seen.writes


def by_object(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {item["object"].replace("searchaccess.", "", 1): item for item in found["changes"]}


def reads_secrets(seen: Seen) -> bool:
    return "/secrets" in seen.path


def test_it_says_what_would_be_made_and_makes_nothing(field: Arena, kubeconfig: Path) -> None:
    world, instance = field.world, field.world.instance
    world.apply(field.cluster(), access("orders", grant("orders-*")))
    only_logs = field.folder / "only-logs.yaml"
    only_logs.write_text(yaml.safe_dump(AUDITED))
    code, found = observe(field, kubeconfig, "-o", "json", "-f", str(only_logs))
    assert code == found["exitCode"] == 2
    [audit] = found["audits"]
    assert (audit["policy"], audit["access"], len(audit["reasons"])) == ("only-logs", "shop/orders", 1)
    assert not field.api.since(0, reads_secrets)
    changes = by_object(found)
    role = changes[f"role/{instance}.{account('orders')}"]
    assert (role["action"], role["for"], role["cluster"]) == ("create", ["shop/orders"], CLUSTER)
    [entry] = role["fields"]
    assert (entry["path"], entry["have"]) == ("indices[orders-*]", "")
    assert json.loads(entry["want"])["privileges"] == ["read", "view_index_metadata"]
    assert changes[f"role_mapping/{instance}"]["action"] == "create"
    assert len(changes) == 2
    assert not world.get("orders").get("status")
    assert not world.get("orders")["metadata"].get("finalizers")
    assert not world.events("orders")


def test_what_is_in_order_drifted_left_behind_or_about_to_go(field: Arena, kubeconfig: Path) -> None:
    world, instance = field.world, field.world.instance
    names = ("well", "drifted", "going", "lost")
    world.apply(field.cluster(), *(access(name, grant(f"{name}-*")) for name in names))
    with field.running():
        field.until_in_sync(4)
    code, text = observe(field, kubeconfig)
    assert code == 0
    assert "Nothing would change." in text
    assert "4 of 4 SearchAccesses as declared; 0 would change" in text

    role = world.role("drifted")
    role["indices"][0]["privileges"] = ["all"]
    world.write_role("drifted", role)
    world.delete("going", wait=False)
    lost = world.role("lost")
    before = {name: world.role(name) for name in names}
    world.kubernetes.run_kubectl(
        "patch", "searchaccess", "lost", "-n", "shop", "--type=merge", "-p", '{"metadata":{"finalizers":null}}'
    )
    world.delete("lost")
    code, found = observe(field, kubeconfig, "-o", "json")
    assert code == 2
    changes = by_object(found)
    prefix = f"role/{instance}."
    assert {name.removeprefix(prefix).partition("@")[0]: item["action"] for name, item in changes.items()} == {
        "drifted": "change", "going": "delete", "lost": "delete"
    }  # fmt: skip
    assert changes[f"{prefix}{account('drifted')}"]["fields"] == [
        {"path": "indices[drifted-*].privileges", "want": '["read","view_index_metadata"]', "have": '["all"]'}
    ]
    assert changes[f"{prefix}{account('lost')}"]["for"] == ["shop/lost"]
    assert {name: world.role(name) for name in names} == before
    assert lost
    assert "going" in field.listed()

    _, text = observe(field, kubeconfig)
    assert f"would change role/searchaccess.{instance}.{account('drifted')} for shop/drifted (cluster prod)" in text
    assert '  ~ indices[drifted-*].privileges: ["all"] -> ["read","view_index_metadata"]' in text


def test_manifests_of_a_pull_request(field: Arena, kubeconfig: Path, tmp_path: Path) -> None:
    world, instance = field.world, field.world.instance
    world.apply(field.cluster(), access("orders", grant("orders-*")), access("other", grant("other-*")))
    with field.running():
        field.until_in_sync(2)
    folder = tmp_path / "manifests"
    (folder / "more").mkdir(parents=True)
    changed = access("orders", grant("orders-*", can=["read", "write"]))
    new, wrong = access("new", grant("new-*")), access("wrong", grant("x*y*"), cluster="nowhere")
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}
    (folder / "accesses.yaml").write_text(yaml.safe_dump_all([changed, config, None]))
    (folder / "more" / "list.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [new, wrong]}))
    (folder / "README.md").write_text("{{ not yaml")
    code, found = observe(field, kubeconfig, "-o", "json", "-f", str(folder))
    assert code == 1, "one of them would fail"
    assert {item["name"]: item["reason"] for item in found["items"]} == {
        CLUSTER: "InSync", "shop/orders": "InSync", "shop/other": "InSync", "shop/new": "InSync",
        "shop/wrong": "ClusterNotFound",
    }  # fmt: skip
    changes = by_object(found)
    assert {name: item["action"] for name, item in changes.items()} == {
        f"role/{instance}.{account('orders')}": "change", f"role/{instance}.{account('new')}": "create"
    }  # fmt: skip
    [field_] = changes[f"role/{instance}.{account('orders')}"]["fields"]
    assert field_["path"] == "indices[orders-*].privileges"
    assert set(field.listed()) == {"orders", "other"}

    odd = access("odd", grant("odd-*", where=queries(40)))
    (folder / "odd.yaml").write_text(yaml.safe_dump(odd))
    code, found = observe(field, kubeconfig, "-o", "json", "-f", str(folder))
    assert code == 1
    reasons = {item["name"]: item["reason"] for item in found["items"]}
    assert (reasons["shop/odd"], reasons["shop/new"]) == ("InvalidSpec", "InSync")

    (folder / "more" / "bad.yml").write_text("a: [\nb: {{ .Values.x }}\n")
    command = process(field, "--once", "--observe", "-f", str(folder))
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "bad.yml, line 3: it cannot be read as YAML" in done.stderr


def test_a_cluster_of_a_pull_request(field: Arena, kubeconfig: Path, tmp_path: Path) -> None:
    file = tmp_path / "all.yaml"
    cluster = field.cluster(login={"secretRef": {"namespace": SYSTEM, "name": READER}})
    file.write_text(yaml.safe_dump_all([cluster, access("orders", grant("orders-*"))]))
    for own_login in (True, False):
        code, found = observe(field, kubeconfig, "-o", "json", "-f", str(file), own_login=own_login)
        assert code == 1
        assert {item["reason"] for item in found["items"]} == {"LoginMissing"}, "a proposal gets no login to see"
        assert "a login of SearchCluster prod that the API server does not have" in found["items"][0]["message"]

    kubectl = field.world.kubernetes.run_kubectl
    for line in (
        f"role {READER} --verb=get --resource=secrets --resource-name={READER}",
        f"rolebinding {READER} --role={READER} --serviceaccount={SYSTEM}:searchaccess-observer",
    ):
        manifest = kubectl("create", *line.split(), "-n", SYSTEM, "--dry-run=client", "-o", "yaml").stdout
        (tmp_path / "right.yaml").write_text(manifest)
        kubectl("apply", "-f", str(tmp_path / "right.yaml"))
    code, found = observe(field, kubeconfig, "-o", "json", "-f", str(file), "--trust-files", own_login=False)
    assert code == 2
    assert {item["name"]: item["reason"] for item in found["items"]} == {CLUSTER: "InSync", "shop/orders": "InSync"}
    assert len(found["changes"]) == 2
    assert not field.world.get_cluster()


def test_a_missing_right_ends_it_with_the_commands_that_grant_it(field: Arena) -> None:
    world = field.world
    world.apply(field.cluster(), access("orders", grant("orders-*")))
    kubectl, account_name = world.kubernetes.run_kubectl, f"pipeline-{world.instance}"
    kubectl("create", "serviceaccount", account_name, "-n", SYSTEM)
    kubeconfig = world.kubernetes.service_account_kubeconfig(SYSTEM, account_name)
    field.tokens.add(yaml.safe_load(kubeconfig.read_text())["users"][0]["user"]["token"])
    command = command_of(field, kubeconfig)
    granted: list[str] = []
    try:
        while True:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
            assert done.returncode == 1, done.stdout
            last = done.stderr.splitlines()[-1] if done.stderr else ""
            if not last.startswith("searchaccess: "):
                break
            assert f'User "system:serviceaccount:{SYSTEM}:{account_name}" cannot' in last
            for text in last.partition("; an administrator grants it: ")[2].split(" && "):
                program, *rest = shlex.split(text)
                assert program == "kubectl"
                kubectl(*rest)
                granted.append(rest[2])
    finally:
        for name in dict.fromkeys(granted):
            for kind in ("clusterrolebinding", "clusterrole"):
                kubectl("delete", kind, name, "--ignore-not-found")
            for kind in ("rolebinding", "role"):
                kubectl("delete", kind, name, "-n", "kube-system", "--ignore-not-found")
    assert list(dict.fromkeys(granted)) == [
        "searchaccess-get-namespaces", "searchaccess-list-searchaccesspolicies", "searchaccess-list-searchclusters",
        "searchaccess-list-searchaccesses",
    ]  # fmt: skip
    assert "secrets" in done.stdout, "what it may not read of a SearchCluster is reported on that"
    assert "PermissionDenied" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--for", "5m", "--observe"), "requires --once"),
        (("--once", "-f", "."), "requires --observe"),
        (("--once", "--observe", "-f", "/nonexistent"), "does not exist"),
    ],
)
def test_what_cannot_be(field: Arena, arguments: tuple[str, ...], says: str) -> None:
    done = subprocess.run(process(field, *arguments), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 64
    assert says in " ".join(done.stderr.replace("│", " ").split())
