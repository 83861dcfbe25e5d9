"""The same attacks in front of an Elasticsearch with a Basic license: nobody gets further than its own user."""

import json
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from searchaccess.core.gateway.settings import Upstream
from tests.contract.gateway.attacks.headers import HEADERS, PLACES
from tests.contract.gateway.attacks.paths import PATHS
from tests.contract.gateway.attacks.row import CALLER, PREFIX, VICTIM, Row
from tests.contract.gateway.attacks.smuggling import SMUGGLING
from tests.contract.gateway.attacks.tokens import CLAIMS, TOKENS
from tests.contract.gateway.conftest import settings_for
from tests.contract.gateway.tokens import Forger
from tests.contract.gateway.wire import exchange
from tests.stack.elasticsearch import LocalElasticsearch
from tests.stack.gateway.envoy import Gateway
from tests.stack.gateway.servers import KeyPublisher
from tests.support.waiting import eventually

pytestmark = pytest.mark.elasticsearch

_LOGIN = "searchaccess-gateway.prod.gateway.a"
_PASSWORD = "of-the-gateway-alone"
_CHOSEN = "chosen-by-the-attacker"
_UNKNOWN = "$2a$10$" + "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ."
_RUN_AS = r"/searchaccess\.prod\.[a-z0-9\-\.]+\@([a-z0-9\-]+\.)+gserviceaccount\.com/"


@pytest.fixture(scope="module")
def basic(built_elasticsearch: None) -> Iterator[LocalElasticsearch]:  # noqa: ARG001 - it has to be built.
    with LocalElasticsearch(license="basic") as server, server.client() as admin:
        _put(admin, "/_security/role/searchaccess-gateway", {"run_as": [_RUN_AS]})
        _put(admin, f"/_security/user/{_LOGIN}", {"password": _PASSWORD, "roles": ["searchaccess-gateway"]})
        for email, index in ((CALLER, "orders"), (VICTIM, "payments")):
            name = PREFIX + email
            _put(admin, f"/_security/role/{name}", {"indices": [{"names": [index], "privileges": ["all"]}]})
            _put(admin, f"/_security/user/{name}", {"password_hash": _UNKNOWN, "roles": [name]})
        _put(admin, "/orders/_doc/1?refresh=true", {"of": "orders"})
        _put(admin, "/payments/_doc/1?refresh=true", {"of": "payments"})
        yield server


def _put(client: httpx.Client, path: str, body: object) -> None:
    client.put(path, json=body).raise_for_status()


@pytest.fixture(scope="module")
def real(basic: LocalElasticsearch, keys: KeyPublisher) -> Iterator[Gateway]:
    upstream = Upstream("127.0.0.1", int(basic.url.rpartition(":")[2]))
    settings = settings_for(basic.ca_file, f"{keys.url}/certs", upstream)
    with Gateway(replace(settings, jwks_ca=keys_authority(keys)), _LOGIN, _PASSWORD) as server:
        yield server


def keys_authority(keys: KeyPublisher) -> str:
    return keys.certificate.ca_file.read_text()


@pytest.mark.parametrize("rows", [TOKENS, CLAIMS, PLACES, HEADERS, SMUGGLING, PATHS])
def test_elasticsearch_sees_nothing_of_what_the_gateway_refuses_and_serves_the_rest(
    rows: list[Row], real: Gateway, forger: Forger
) -> None:
    for attack in rows:
        answers = exchange(real, attack.request(forger), silent=not attack.status)
        if attack.status != httpx.codes.OK:
            assert [status for status, _ in answers][:1] == ([attack.status] if attack.status else []), attack.name
        else:
            status, body = answers[0]
            assert b"gateway_" not in body, attack.name
            assert status != httpx.codes.UNAUTHORIZED, (attack.name, body)
        assert all(b"payments" not in body or b'"reason"' in body for _, body in answers), attack.name


@pytest.mark.parametrize("attack", [row for row in (*PLACES, *HEADERS) if row.status == httpx.codes.OK], ids=str)
def test_elasticsearch_knows_the_caller_by_the_verified_address(attack: Row, real: Gateway, forger: Forger) -> None:
    request = attack.request(forger).replace(b" /orders/_doc/1 ", b" /_security/_authenticate ", 1)
    request = request.replace(b"GET / ", b"GET /_security/_authenticate ", 1)
    ((status, body),) = exchange(real, request)
    assert status == httpx.codes.OK, body
    said = json.loads(body)
    assert said["username"] == PREFIX + CALLER
    assert said["roles"] == [PREFIX + CALLER]


_PASSWORD_PATHS = [row for row in PATHS if b"_password" in row.request(Forger())]


def test_without_the_gateway_a_caller_could_set_its_own_password(basic: LocalElasticsearch) -> None:
    """The control: that is why the gateway refuses these paths."""
    headers = {"es-security-runas-user": PREFIX + CALLER}
    with basic.client() as admin:
        direct = {"auth": (_LOGIN, _PASSWORD), "headers": headers, "json": {"password": _CHOSEN}}
        try:
            assert admin.request("POST", "/_security/user/_password/", **direct).is_success  # type: ignore[arg-type]
            assert admin.get("/_security/_authenticate", auth=(PREFIX + CALLER, _CHOSEN)).is_success
        finally:
            _put(admin, f"/_security/user/{PREFIX}{CALLER}", {"password_hash": _UNKNOWN, "roles": [PREFIX + CALLER]})
        assert admin.get("/_security/_authenticate", auth=(PREFIX + CALLER, _CHOSEN)).status_code == 401


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("media_type", ["application/json", "application/vnd.elasticsearch+json;compatible-with=7"])
def test_no_spelling_sets_the_password_of_the_callers_own_user(
    method: str, media_type: str, real: Gateway, basic: LocalElasticsearch, forger: Forger
) -> None:
    if basic.release.version.startswith("9") and "7" in media_type:
        media_type = media_type.replace("7", "8")
    body = json.dumps({"password": _CHOSEN}).encode()
    headers = f"Content-Type: {media_type}\r\nAccept: {media_type}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    name = f"{PREFIX}{CALLER}"
    spellings = [row.request(forger) for row in _PASSWORD_PATHS]
    named = [
        request.replace(b"/user/_password", form.encode())
        for request in spellings
        for form in (f"/user/{name}/_password", f"/user/{name.replace('@', '%40')}/_password")
    ]
    assert len(spellings) > 20
    for request in (*spellings, *named):
        sent = request.replace(b"POST ", method.encode() + b" ", 1).replace(b"PUT ", method.encode() + b" ", 1)
        ((status, answer), *_) = exchange(real, sent.replace(b"\r\n\r\n", b"\r\n" + headers, 1) + body)
        assert status >= httpx.codes.BAD_REQUEST, (sent.partition(b"\r\n")[0], answer)
    with basic.client() as admin:
        assert admin.get("/_security/_authenticate", auth=(name, _CHOSEN)).status_code == httpx.codes.UNAUTHORIZED


def test_a_caller_reads_its_own_index_and_no_other(real: Gateway, forger: Forger) -> None:
    with real.client(forger.mint(CALLER)) as caller:
        assert caller.get("/orders/_doc/1").json()["_source"] == {"of": "orders"}
        assert caller.get("/payments/_doc/1").status_code == httpx.codes.FORBIDDEN
        assert caller.get("/_cluster/settings").status_code == httpx.codes.FORBIDDEN


def test_an_account_without_a_user_is_refused_by_elasticsearch(real: Gateway, forger: Forger) -> None:
    with real.client(forger.mint("nobody@acme-shop.iam.gserviceaccount.com")) as caller:
        answer = caller.get("/orders/_doc/1")
    assert answer.status_code == httpx.codes.FORBIDDEN
    assert answer.json()["error"]["type"] == "security_exception"


def test_a_refused_login_is_tried_again_and_then_passed_on_as_elasticsearch_says_it(
    basic: LocalElasticsearch, keys: KeyPublisher, forger: Forger
) -> None:
    upstream = Upstream("127.0.0.1", int(basic.url.rpartition(":")[2]))
    settings = replace(settings_for(basic.ca_file, f"{keys.url}/certs", upstream), jwks_ca=keys_authority(keys))
    with Gateway(settings, _LOGIN, "a-former-password") as server, server.client(forger.mint(CALLER)) as caller:
        answer = caller.get("/orders/_doc/1")
        assert answer.status_code == httpx.codes.UNAUTHORIZED
        assert answer.json()["error"]["type"] == "security_exception", "not the gateway's own: the token is right"
        assert server.statistic("cluster.elasticsearch.upstream_rq_retry") == 3
        server.log_in_as(_LOGIN, _PASSWORD)
        assert eventually(lambda: caller.get("/orders/_doc/1").is_success)
