"""Errors of real servers, and of odd ones, come out as the port's own."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from searchaccess.adapters.elasticsearch.client import ElasticsearchClient
from searchaccess.adapters.kubernetes.client import KubernetesClient, load_configuration
from searchaccess.core.clusters.connection import Connection
from searchaccess.core.clusters.realm import WantedRealm
from searchaccess.core.clusters.sources import Source
from searchaccess.core.model.canonical import MappingBody, RoleBody
from searchaccess.core.rights.mapping import RoleMapping
from searchaccess.core.rights.ownership import Role
from searchaccess.ports.errors import (
    ExternalError,
    LoginMissing,
    LoginRefused,
    NotSupported,
    PermissionDenied,
    Throttled,
    TlsNotVerified,
    Unexpected,
    Unreachable,
)
from searchaccess.ports.kubernetes import Plural
from tests.contract.oddserver import answer, odd_server
from tests.stack.elasticsearch import ElasticsearchServer
from tests.stack.kubernetes import KubernetesServers
from tests.stack.running.processes import free_port
from tests.stack.trust.certificates import write_server_certificate
from tests.support.worlds.world import OPERATOR_PASSWORD, OPERATOR_USER, SYSTEM

REALM = WantedRealm("google", "https://es.example.com", "https://accounts.google.com")
PASSWORD = "do-not-show-this-password"

Method = Callable[[ElasticsearchClient], Awaitable[Any]]
METHODS: dict[str, Method] = {
    "facts": lambda port: port.facts(REALM),
    "license": lambda port: port.read_license(),
    "roles": lambda port: port.roles(None),
    "roles by name": lambda port: port.roles(["x"]),
    "mappings": lambda port: port.mappings(None),
    "put_roles": lambda port: port.put_roles([Role("x", RoleBody(), {})]),
    "replace_roles": lambda port: port.replace_roles([Role("x", RoleBody(), {})]),
    "delete_roles": lambda port: port.delete_roles(["x"]),
    "delete_mapping": lambda port: port.delete_mapping("x"),
}


@asynccontextmanager
async def _search(url: str, ca: str, user: str = OPERATOR_USER, password: str = PASSWORD) -> AsyncIterator[Any]:
    client = ElasticsearchClient(Connection((url,), ca, user, password))
    try:
        yield client
    finally:
        await client.close()


def _text(path: Path) -> str:
    return path.read_text()


async def _error_of(call: Awaitable[Any]) -> ExternalError:
    with pytest.raises(ExternalError) as caught:
        await call
    assert PASSWORD not in caught.value.message
    assert "Authorization" not in caught.value.message
    return caught.value


@pytest.mark.parametrize("method", METHODS)
async def test_a_wrong_password_is_a_login_refused(login: ElasticsearchServer, method: str) -> None:
    async with _search(login.url, _text(login.ca_file)) as port:
        assert type(await _error_of(METHODS[method](port))) is LoginRefused


async def test_of_several_writes_that_fail_one_error_comes_out_and_no_task_is_left(login: ElasticsearchServer) -> None:
    async with _search(login.url, _text(login.ca_file)) as port:
        roles = [Role(f"x{number}", RoleBody(), {}) for number in range(20)]
        assert type(await _error_of(port.replace_roles(roles))) is LoginRefused
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("method", METHODS)
async def test_a_login_without_rights_is_denied(login: ElasticsearchServer, method: str) -> None:
    name = f"powerless-{secrets.token_hex(3)}"
    with login.client() as admin:
        admin.put(f"/_security/user/{name}", json={"password": PASSWORD, "roles": []}).raise_for_status()
        async with _search(login.url, _text(login.ca_file), name) as port:
            assert type(await _error_of(METHODS[method](port))) is PermissionDenied
            assert await port.probe() is None
            assert await port.fingerprint() is None
        admin.delete(f"/_security/user/{name}").raise_for_status()


@pytest.mark.parametrize("method", [*METHODS, "probe"])
async def test_a_server_that_is_not_there_is_unreachable(tmp_path: Path, method: str) -> None:
    ca = _text(write_server_certificate(tmp_path).ca_file)
    async with _search(f"https://127.0.0.1:{free_port()}", ca) as port:
        call = port.probe() if method == "probe" else METHODS[method](port)
        assert type(await _error_of(call)) is Unreachable


async def test_a_certificate_of_another_authority_is_not_verified(login: ElasticsearchServer, tmp_path: Path) -> None:
    ca = _text(write_server_certificate(tmp_path).ca_file)
    async with _search(login.url, ca, password=OPERATOR_PASSWORD) as port:
        assert type(await _error_of(port.roles(None))) is TlsNotVerified
        assert type(await _error_of(port.probe())) is TlsNotVerified


async def test_a_certificate_that_nobody_wants_to_be_verified(login: ElasticsearchServer) -> None:
    client = ElasticsearchClient(Connection((login.url,), "", OPERATOR_USER, OPERATOR_PASSWORD, verify=False))
    assert (await client.facts(REALM)).version
    await client.close()


async def test_plain_http_beside_https(tmp_path: Path) -> None:
    refused = f"https://127.0.0.1:{free_port()}"
    async with odd_server(tmp_path, answer("200 OK", '{"a": {}}'), tls=False) as (url, ca):
        client = ElasticsearchClient(Connection((refused, url), ca, OPERATOR_USER, PASSWORD))
        assert await client.roles(None) == {"a": {}}
        await client.close()


ODD_SEARCH: list[tuple[str, bytes, type[ExternalError]]] = [
    ("500", answer("500 Oops"), Unreachable),
    ("503", answer("503 Busy", '{"error": {"type": "x", "reason": "no master"}}'), Unreachable),
    ("429", answer("429 Slow down"), Throttled),
    ("a page of a proxy", answer("502 Bad Gateway", "<html>", headers="", kind="text/html"), Unreachable),
    ("another product", answer("200 OK", headers=""), NotSupported),
    ("no JSON", answer("200 OK", "{"), Unexpected),
    ("nothing", b"", Unreachable),
    ("no HTTP", b"SSH-2.0-OpenSSH\r\n", Unreachable),
    ("a redirect", answer("302 Found", headers="Location: https://elsewhere.invalid\r\n"), Unreachable),
]


@pytest.mark.parametrize(("reply", "kind"), [pytest.param(*rest, id=text) for text, *rest in ODD_SEARCH])
async def test_odd_answers_instead_of_elasticsearch(tmp_path: Path, reply: bytes, kind: type[ExternalError]) -> None:
    async with odd_server(tmp_path, reply) as (url, ca), _search(url, ca) as port:
        assert type(await _error_of(port.roles(None))) is kind


REST: dict[str, Method] = {
    "probe": lambda port: port.probe(),
    "put_mapping": lambda port: port.put_mapping(RoleMapping("x", MappingBody(enabled=True, rules="{}"), {})),
    "login": lambda port: port.login(),
    "lacks": lambda port: port.lacks(RoleBody(cluster=("monitor",))),
    "keys": lambda port: port.keys("x*"),
    "create_key": lambda port: port.create_key("x", 60, RoleBody(), {}),
    "update_keys": lambda port: port.update_keys(["x"], RoleBody()),
    "prolong_keys": lambda port: port.prolong_keys(["x"], 60),
    "refresh_keys": lambda port: port.refresh_keys(["x"]),
    "note_key": lambda port: port.note_key("x", {}),
    "revoke_keys": lambda port: port.revoke_keys(["x"]),
    "owned_keys": lambda port: port.owned_keys("x"),
    "changed_keys": lambda port: port.changed_keys(0),
    "every_key": lambda port: port.every_key(),
    "holders": lambda port: port.holders("x"),
    "users": lambda port: port.users("x"),
    "create_user": lambda port: port.create_user("x", {}),
    "note_user": lambda port: port.note_user("x", {}),
    "delete_users": lambda port: port.delete_users(["x"]),
}
_DEEP = '{"a":' * 3000 + "1" + "}" * 3000
ODD_JSON = {
    "null": "null",
    "a list": "[]",
    "a text": '"x"',
    "a number": "7",
    "other types": '{"errors": [], "users": {}, "api_keys": 7, "version": [], "license": 1, "a": {"b": 1}}',
    "lists of anything": '{"users": [1, null], "api_keys": [[]], "created": [{}], "errors": {"details": {"x": 1}}}',
    "deep": f'{{"users": [{_DEEP}], "api_keys": [{_DEEP}], "created": {_DEEP}, "x": {_DEEP}}}',
    "a long number": f'{{"error_count": {"9" * 5000}, "created": {"9" * 5000}}}',
}


@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request", "403 Forbidden"])
@pytest.mark.parametrize("body", ODD_JSON.values(), ids=ODD_JSON)
async def test_any_json_is_an_answer_or_an_error_of_ours(tmp_path: Path, body: str, status: str) -> None:
    """For every method: nothing else comes out of the port, whatever the server says."""
    others: dict[str, str] = {}
    async with odd_server(tmp_path, answer(status, body)) as (url, ca), _search(url, ca) as port:
        for name, method in (METHODS | REST).items():
            try:
                await method(port)
            except ExternalError as error:
                assert PASSWORD not in error.message  # noqa: PT017 - many are tried
            except Exception as error:  # noqa: BLE001 - to name the method
                others[name] = repr(error)
    assert others == {}


async def test_facts_that_lack_what_is_needed_are_unexpected(tmp_path: Path) -> None:
    async with odd_server(tmp_path, answer("200 OK")) as (url, ca), _search(url, ca) as port:
        assert type(await _error_of(port.facts(REALM))) is Unexpected


# Kubernetes


def write_kubeconfig(folder: Path, url: str, ca: Path, token: str = PASSWORD) -> Path:
    path = folder / "kubeconfig.yaml"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "clusters": [{"name": "x", "cluster": {"server": url, "certificate-authority": str(ca)}}],
        "users": [{"name": "x", "user": {"token": token}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
    }
    path.write_text(yaml.safe_dump(content))
    return path


@asynccontextmanager
async def _objects(kubeconfig: Path) -> AsyncIterator[KubernetesClient]:
    client = KubernetesClient(await load_configuration(kubeconfig))
    try:
        yield client
    finally:
        await client.close()


async def test_a_wrong_token_is_a_login_refused(installed: KubernetesServers, tmp_path: Path) -> None:
    async with _objects(write_kubeconfig(tmp_path, installed.url, Path(installed.ca_file))) as port:
        assert type(await _error_of(port.list_page(Plural.ACCESSES))) is LoginRefused
        assert type(await _error_of(port.controller_id())) is LoginRefused


async def test_secrets_of_other_namespaces_are_denied(installed: KubernetesServers) -> None:
    kubeconfig = installed.service_account_kubeconfig(SYSTEM, "searchaccess-operator")
    async with _objects(kubeconfig) as port:
        assert type(await _error_of(port.read_source(Source("Secret", "default", "anything")))) is PermissionDenied


async def test_an_api_server_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    ca = Path(write_server_certificate(tmp_path / "pki").ca_file)
    async with _objects(write_kubeconfig(tmp_path, f"https://127.0.0.1:{free_port()}", ca)) as port:
        assert type(await _error_of(port.list_page(Plural.CLUSTERS))) is Unreachable


async def test_an_api_server_of_another_authority_is_not_verified(installed: KubernetesServers, tmp_path: Path) -> None:
    ca = Path(write_server_certificate(tmp_path / "pki").ca_file)
    async with _objects(write_kubeconfig(tmp_path, installed.url, ca)) as port:
        assert type(await _error_of(port.list_page(Plural.CLUSTERS))) is TlsNotVerified


ODD_OBJECTS: list[tuple[str, bytes, type[ExternalError]]] = [
    ("503", answer("503 Busy"), Unreachable),
    ("429", answer("429 Slow down"), Throttled),
    ("a page of a proxy", answer("502 Bad Gateway", "<html>", kind="text/html"), Unreachable),
    ("no JSON", answer("200 OK", "{"), Unexpected),
    ("nothing", b"", Unreachable),
    ("no HTTP", b"SSH-2.0-OpenSSH\r\n", Unreachable),
    ("a page instead of a list", answer("200 OK", "<html>", kind="text/html"), Unexpected),
    ("a list of nothing", answer("200 OK", "[]"), Unexpected),
    ("another object", answer("200 OK", '{"kind": "Other"}'), Unexpected),
]


@pytest.mark.parametrize(("reply", "kind"), [pytest.param(*rest, id=text) for text, *rest in ODD_OBJECTS])
async def test_odd_answers_instead_of_kubernetes(tmp_path: Path, reply: bytes, kind: type[ExternalError]) -> None:
    async with odd_server(tmp_path / "pki", reply) as (url, ca):
        (tmp_path / "ca.pem").write_text(ca)
        async with _objects(write_kubeconfig(tmp_path, url, tmp_path / "ca.pem")) as port:
            assert type(await _error_of(port.list_page(Plural.CLUSTERS))) is kind


@pytest.mark.parametrize(
    "content", ["", "nonsense: [", "apiVersion: v1\nkind: Config\n"], ids=["empty", "no YAML", "bare"]
)
async def test_an_unusable_kubeconfig_is_a_login_missing(tmp_path: Path, content: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(content)
    assert type(await _error_of(load_configuration(path))) is LoginMissing
    assert type(await _error_of(load_configuration(tmp_path / "missing"))) is LoginMissing


@pytest.mark.parametrize(("proxies", "asked"), [({}, False), ({"https_proxy": "http://proxy.example.com"}, True)])
async def test_the_environment_is_asked_for_a_proxy_only_if_it_has_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxies: dict[str, str], *, asked: bool
) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    for name, value in proxies.items():
        monkeypatch.setenv(name, value)
    ca = Path(write_server_certificate(tmp_path / "pki").ca_file)
    configuration = await load_configuration(write_kubeconfig(tmp_path, "https://127.0.0.1:1", ca))
    assert configuration.client_session_kwargs == {"trust_env": asked}
