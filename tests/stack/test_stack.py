"""The launcher itself, on the real servers."""

import json
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from tests.stack.build import BuildError
from tests.stack.cache import CACHE_VARIABLE, BuildInputs, ensure_entry
from tests.stack.elasticsearch import ElasticsearchServer, ExternalElasticsearch, LocalElasticsearch, NotOursError
from tests.stack.kubernetes import KubernetesServers
from tests.stack.releases import JAVA_VARIABLE, RELEASES, VERSION_VARIABLE, Release, chosen_release, find_jdk
from tests.stack.running.logs import entries_of
from tests.stack.running.processes import ServerProcess, ServerStartError
from tests.stack.stack import Stack
from tests.stack.trust.tokens import TokenIssuer, subject_of
from tests.support.waiting import eventually

EMAIL = "reader@demo.iam.gserviceaccount.com"


class TestTokens:
    def test_a_subject_is_a_stable_number_of_21_digits(self) -> None:
        assert subject_of(EMAIL) == subject_of(EMAIL)
        assert subject_of(EMAIL) != subject_of(f"other-{EMAIL}")
        assert len(subject_of(EMAIL)) == 21
        assert subject_of(EMAIL).isdigit()

    def test_a_saved_issuer_is_the_same_issuer_and_its_key_is_private(self, tmp_path: Path) -> None:
        issuer = TokenIssuer()
        issuer.save(tmp_path / "issuer.pem")
        assert TokenIssuer.from_file(tmp_path / "issuer.pem").jwks() == issuer.jwks()
        assert (tmp_path / "issuer.pem").stat().st_mode & 0o777 == 0o600


def fake_jdk(home: Path, release: int, *, compiler: bool = True) -> Path:
    """A folder that answers as a JDK does."""
    (home / "bin").mkdir(parents=True)
    for program in ("java", "javac") if compiler else ("java",):
        path = home / "bin" / program
        path.write_text(f"#!/bin/sh\necho '    java.specification.version = {release}' >&2\n")
        path.chmod(0o755)
    return home


class TestReleases:
    def test_the_first_is_taken_unless_another_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv(VERSION_VARIABLE, raising=False)
        assert chosen_release() is RELEASES[0]
        for release in RELEASES:
            monkeypatch.setenv(VERSION_VARIABLE, release.version)
            assert chosen_release() is release
        monkeypatch.setenv(VERSION_VARIABLE, "7.17.0")
        with pytest.raises(BuildError, match=r"7\.17\.0: the test stack knows 8\.19\.0, 9\.1\.0"):
            chosen_release()

    def test_the_first_jdk_that_is_new_enough_and_whole(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        runtime = fake_jdk(tmp_path / "runtime", 99, compiler=False)
        monkeypatch.setenv(JAVA_VARIABLE, str(fake_jdk(tmp_path / "old", 11)))
        monkeypatch.setenv("JAVA_HOME", str(runtime))
        newest = Release("99.0.0", java=99)
        assert find_jdk(newest).java == str(runtime / "bin" / "java")
        with pytest.raises(BuildError, match=r"99\.0\.0 needs a JDK, 99 or newer"):
            find_jdk(newest, compiler=True)
        monkeypatch.setenv("JAVA_HOME", str(fake_jdk(tmp_path / "whole", 100)))
        assert find_jdk(newest, compiler=True).release == 100

    def test_the_server_is_of_the_chosen_release(self, elasticsearch_server: ElasticsearchServer) -> None:
        if isinstance(elasticsearch_server, LocalElasticsearch):
            with elasticsearch_server.client() as admin:
                assert admin.get("/").json()["version"]["number"] == chosen_release().version


class TestCache:
    def test_the_key_changes_with_every_input(self, tmp_path: Path) -> None:
        source = tmp_path / "main.go"
        source.write_text("one")
        first = BuildInputs("server", "1.0", (source,), facts=("-trimpath",))
        keys = [
            first.key(),
            BuildInputs("server", "1.1", (source,), facts=("-trimpath",)).key(),
            BuildInputs("server", "1.0", (source,), facts=("-race",)).key(),
        ]
        source.write_text("two")
        keys.append(first.key())
        assert len(set(keys)) == len(keys)

    def test_the_key_does_not_depend_on_where_the_checkout_is(self, tmp_path: Path) -> None:
        keys = set()
        for checkout in ("here", "there"):
            folder = tmp_path / checkout
            folder.mkdir()
            (folder / "go.mod").write_text("module m")
            (folder / "main.go").write_text("package main")
            keys.add(BuildInputs("server", "1.0", (folder / "go.mod", folder / "main.go")).key())
        assert len(keys) == 1

    def test_a_failed_build_leaves_no_entry_and_the_next_one_builds(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
        inputs = BuildInputs("server", "1.0", ())

        def fail(target: Path) -> None:
            (target / "half").touch()
            raise RuntimeError("no network")

        with pytest.raises(RuntimeError, match="no network"):
            ensure_entry(inputs, fail)
        entry = ensure_entry(inputs, lambda target: (target / "whole").touch())
        assert [path.name for path in entry.iterdir()] == ["whole"]
        assert ensure_entry(inputs, fail) == entry

    def test_two_at_once_build_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
        builds = []

        def build(target: Path) -> None:
            builds.append(target)
            time.sleep(0.2)

        with ThreadPoolExecutor() as pool:
            entries = list(pool.map(lambda _: ensure_entry(BuildInputs("server", "1.0", ()), build), range(2)))
        assert len(builds) == 1
        assert entries[0] == entries[1]


class TestProcesses:
    def test_a_server_that_fails_shows_the_end_of_its_log(self, tmp_path: Path) -> None:
        command = [sys.executable, "-c", "raise SystemExit('port is taken')"]
        process = ServerProcess("broken", command, tmp_path / "broken.log")
        with pytest.raises(ServerStartError, match="port is taken"):
            process.wait_until(lambda: False, timeout=30)

    def test_a_server_dies_when_python_is_killed(self, tmp_path: Path) -> None:
        program = (
            "import pathlib, sys, time\n"
            "from tests.stack.running.processes import ServerProcess\n"
            f"log = pathlib.Path({str(tmp_path / 'server.log')!r})\n"
            "code = 'import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)'\n"
            "print(ServerProcess('server', [sys.executable, '-c', code], log).pid, flush=True)\n"
            "time.sleep(600)\n"
        )
        root = Path(__file__).parents[2]
        with subprocess.Popen([sys.executable, "-c", program], cwd=root, stdout=subprocess.PIPE, text=True) as parent:
            assert parent.stdout is not None
            server = psutil.Process(int(parent.stdout.readline()))
            # The wrapper asks the kernel first and becomes the server afterwards.
            eventually(lambda: "dies_with_parent" not in " ".join(server.cmdline()), within=60)
            parent.kill()
        eventually(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE, within=60)


@pytest.fixture
def admin(elasticsearch_server: ElasticsearchServer) -> Iterator[httpx.Client]:
    with elasticsearch_server.client() as client:
        yield client


class TestElasticsearch:
    def test_a_token_of_the_issuer_authenticates_in_the_realm(self, elasticsearch_server: ElasticsearchServer) -> None:
        with elasticsearch_server.client_as(elasticsearch_server.issuer.mint(EMAIL)) as client:
            who = client.get("/_security/_authenticate").raise_for_status().json()
        assert who["username"] == EMAIL
        assert who["authentication_realm"] == {"name": elasticsearch_server.realm, "type": "jwt"}
        assert who["metadata"]["jwt_claim_sub"] == subject_of(EMAIL)

    @pytest.mark.parametrize(
        "token",
        [
            pytest.param(lambda issuer: issuer.mint(EMAIL, audience="https://other.example.com"), id="wrong audience"),
            pytest.param(lambda issuer: issuer.mint(EMAIL, issuer="https://other.example.com"), id="wrong issuer"),
            pytest.param(lambda issuer: issuer.mint(EMAIL, lifetime=-3600), id="expired"),
            pytest.param(lambda _: TokenIssuer().mint(EMAIL), id="signed by a stranger"),
        ],
    )
    def test_other_tokens_are_refused(
        self, elasticsearch_server: ElasticsearchServer, token: Callable[[TokenIssuer], str]
    ) -> None:
        with elasticsearch_server.client_as(token(elasticsearch_server.issuer)) as client:
            assert client.get("/_security/_authenticate").status_code == 401

    def test_a_templated_role_mapping_gives_document_and_field_level_security(
        self, elasticsearch_server: ElasticsearchServer, admin: httpx.Client
    ) -> None:
        role = {
            "indices": [
                {
                    "names": ["stack-orders"],
                    "privileges": ["read"],
                    "query": json.dumps({"term": {"country": "de"}}),
                    "field_security": {"grant": ["country", "total"]},
                }
            ]
        }
        mapping = {
            "enabled": True,
            "rules": {"field": {"realm.name": elasticsearch_server.realm}},
            "role_templates": [{"template": json.dumps({"source": "searchaccess.test.{{username}}"})}],
        }
        admin.put(f"/_security/role/searchaccess.test.{EMAIL}", json=role).raise_for_status()
        admin.put("/_security/role_mapping/stack-test", json=mapping).raise_for_status()
        try:
            for number, country in enumerate(["de", "fr"]):
                document = {"country": country, "total": number, "card": "secret"}
                path = f"/stack-orders/_doc/{number}?refresh=true"
                admin.put(path, json=document).raise_for_status()
            with elasticsearch_server.client_as(elasticsearch_server.issuer.mint(EMAIL)) as reader:
                hits = reader.get("/stack-orders/_search").raise_for_status().json()["hits"]["hits"]
                write = reader.put("/stack-orders/_doc/9", json={"country": "de"})
        finally:
            admin.delete("/stack-orders")
            admin.delete("/_security/role_mapping/stack-test")
            admin.delete(f"/_security/role/searchaccess.test.{EMAIL}")
        assert [hit["_source"] for hit in hits] == [{"country": "de", "total": 0}]
        assert write.status_code == 403

    def test_stop_and_start_keep_the_data(self, elasticsearch_server: ElasticsearchServer, admin: httpx.Client) -> None:
        if isinstance(elasticsearch_server, ExternalElasticsearch):
            with pytest.raises(NotOursError):
                elasticsearch_server.stop()
            return
        admin.put("/stack-kept/_doc/1?refresh=true", json={"kept": True}).raise_for_status()
        elasticsearch_server.stop()
        with pytest.raises(httpx.TransportError):
            admin.get("/")
        elasticsearch_server.start()
        assert admin.get("/stack-kept/_doc/1").raise_for_status().json()["_source"] == {"kept": True}
        admin.delete("/stack-kept").raise_for_status()

    @pytest.mark.skipif(ExternalElasticsearch.is_configured(), reason="an audit log needs a server of our own")
    def test_a_second_node_has_settings_and_an_audit_log_of_its_own(self) -> None:
        realm = "xpack.security.authc.realms.jwt.google"
        settings = {f"{realm}.allowed_audiences": ["https://other.example.com"]}
        with LocalElasticsearch(settings=settings, audit=True) as server:
            with server.client_as(server.issuer.mint(EMAIL)) as client:
                assert client.get("/_security/_authenticate").status_code == 401
            with server.client_as(server.issuer.mint(EMAIL, audience="https://other.example.com")) as client:
                client.get("/_security/_authenticate", headers={"X-Opaque-Id": "shop/shop-00001"}).raise_for_status()
            events = entries_of(server.audit_file.read_text())
        [granted] = [event for event in events if event.get("opaque_id") == "shop/shop-00001"]
        assert (granted["event.action"], granted["user.name"]) == ("access_granted", EMAIL)


@pytest.fixture
def namespace(kubernetes_servers: KubernetesServers) -> Iterator[str]:
    name = f"stack-{secrets.token_hex(4)}"
    kubernetes_servers.run_kubectl("create", "namespace", name)
    yield name
    kubernetes_servers.run_kubectl("delete", "namespace", name, "--wait=false")


class TestKubernetes:
    def test_a_service_account_may_do_only_what_rbac_grants(
        self, kubernetes_servers: KubernetesServers, namespace: str
    ) -> None:
        kubectl, scope = kubernetes_servers.run_kubectl, f"--namespace={namespace}"
        kubectl("create", "serviceaccount", "reader", scope)
        account = kubernetes_servers.service_account_kubeconfig(namespace, "reader")
        refused = kubectl("get", "secrets", kubeconfig=account, check=False)
        assert refused.returncode != 0
        assert "Forbidden" in refused.stderr
        kubectl("create", "role", "reader", "--verb=list", "--resource=secrets", scope)
        kubectl("create", "rolebinding", "reader", "--role=reader", f"--serviceaccount={namespace}:reader", scope)
        eventually(lambda: kubectl("get", "secrets", kubeconfig=account, check=False).returncode == 0, within=60)

    def test_the_apiserver_comes_back_with_its_data(
        self, kubernetes_servers: KubernetesServers, namespace: str
    ) -> None:
        kubectl, scope = kubernetes_servers.run_kubectl, f"--namespace={namespace}"
        kubectl("create", "configmap", "kept", "--from-literal=kept=yes", scope)
        kubernetes_servers.stop_apiserver()
        assert kubectl("get", "configmap", "kept", scope, check=False).returncode != 0
        kubernetes_servers.start_apiserver()
        assert kubectl("get", "configmap", "kept", scope, "--output=jsonpath={.data.kept}").stdout == "yes"

    def test_a_deleted_namespace_goes_away(self, kubernetes_servers: KubernetesServers) -> None:
        if not kubernetes_servers.has_controller_manager:
            pytest.skip("KUBEBUILDER_ASSETS has no kube-controller-manager, which deletes namespaces")
        kubernetes_servers.run_kubectl("create", "namespace", "stack-gone")
        kubernetes_servers.run_kubectl("delete", "namespace", "stack-gone", "--timeout=60s")
        found = kubernetes_servers.run_kubectl("get", "namespace", "stack-gone", check=False)
        assert "NotFound" in found.stderr


def test_a_stack_leaves_no_process_and_no_folder(stack: Stack) -> None:
    """The session's stack runs beside another one; only the other one goes."""
    if ExternalElasticsearch.is_configured():
        pytest.skip("Elasticsearch is not ours")

    def running() -> set[int]:
        return {child.pid for child in psutil.Process().children(recursive=True)}

    before = running()
    with Stack() as other:
        folders = [other.kubernetes.log_folder.parent, other.elasticsearch.ca_file.parents[2]]
        assert len(running() - before) == (4 if other.kubernetes.has_controller_manager else 3)
    assert running() <= before
    assert not any(folder.exists() for folder in folders)
    assert stack.kubernetes.run_kubectl("get", "--raw=/readyz").stdout == "ok"
