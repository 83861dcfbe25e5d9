"""Limits of callers, the Identity-Aware Proxy, the log and the counters: in a running gateway."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from searchaccess.core.gateway.render import logs
from searchaccess.core.gateway.render.logs import FIELDS
from searchaccess.core.gateway.settings import ApiGroup, CallerLimits, GatewaySettings, Rate, Upstream
from tests.contract.gateway.conftest import MEGABYTE, with_limits
from tests.contract.gateway.tokens import IAP_AUDIENCE, Forger
from tests.contract.gateway.wire import exchange
from tests.stack.gateway.envoy import Gateway
from tests.stack.gateway.servers import Answer, KeyPublisher, Recorder
from tests.stack.trust.certificates import ServerCertificate
from tests.support.waiting import eventually
from tests.unit.gateway.cases import CASES

_DOMAIN = "@acme-shop.iam.gserviceaccount.com"
_REQUESTS = {
    ApiGroup.DOCUMENTS: ["/i/_doc/1", "/i/_doc", "/_mget", "/i/_source/1", "/i/type/1", "/i/_update/1"],
    ApiGroup.SEARCH: [
        "/i/_search",
        "/_search?size=1",
        "/_all/_count",
        "/a,-b/_msearch",
        "/i/_explain/1",
        "/*/_search/",
    ],
    ApiGroup.BULK: [
        "/_bulk",
        "/i/_bulk",
        "/i/type/_bulk",
        "/i/_delete_by_query?scroll=1m",
        "/_reindex",
        "/_reindex/x:1/_rethrottle",
    ],
    ApiGroup.STATEFUL: [
        "/_search/scroll",
        "/i/_pit",
        "/_pit",
        "/_async_search/x",
        "/i/_search?scroll=1m",
        "/_search?size=1&scroll=1m",
        "/_search?size=1;scroll=1m",
        "/_search?scr%6Fll=1m",
        "/_search?a=?&scroll",
    ],
    ApiGroup.SQL: ["/_sql", "/_query", "/_query/async/x", "/i/_eql/search", "/_esql/x"],
    ApiGroup.SCRIPTS: ["/_scripts/x", "/_search/template", "/i/_msearch/template", "/_render/template"],
    ApiGroup.INDICES: [
        "/i",
        "/i/",
        "/i/_mapping",
        "/_alias",
        "/_data_stream/x",
        "/_all/_settings",
        "/_template/x",
        "/%5Fx",
    ],
    ApiGroup.CLUSTER: ["/", "/_cluster/health", "/_cat/indices", "/_nodes", "/_ingest/pipeline", "/_license"],
}


@pytest.fixture(scope="module")
def limited(
    settings: GatewaySettings, loopback: ServerCertificate, forger: Forger, request: pytest.FixtureRequest
) -> Iterator[Gateway]:
    groups = {f"only-{group.lower()}": CallerLimits(MEGABYTE, None, frozenset({group})) for group in ApiGroup}
    every = CallerLimits(MEGABYTE, None, frozenset(ApiGroup))
    own = with_limits(
        settings,
        CallerLimits(MEGABYTE),
        every=every,
        small=CallerLimits(1000),
        medium=CallerLimits(6 * MEGABYTE),
        large=CallerLimits(8 * MEGABYTE),
        rated=CallerLimits(MEGABYTE, Rate(1, 3)),
        **groups,
    )
    own = replace(own, iap_audience=IAP_AUDIENCE, people=("*@example.com",))
    before = request.session.testsfailed
    with KeyPublisher(loopback, forger.iap_keys()) as iap:
        server = Gateway(own, iap_keys=f"{iap.url}/keys", system_ca=loopback.ca_file)
        try:
            server.start()
            yield server
        finally:
            server.close(failed=request.session.testsfailed > before)


@pytest.mark.parametrize("group", ApiGroup)
def test_a_caller_of_one_part_of_the_api_uses_that_part_alone(
    group: ApiGroup, limited: Gateway, forger: Forger
) -> None:
    with limited.client(forger.mint(f"only-{group.lower()}{_DOMAIN}")) as client:
        for other, targets in _REQUESTS.items():
            for target in targets:
                answer = client.get(target)
                needed = {other} | ({ApiGroup.SEARCH} if "_search?" in target else set())
                assert answer.is_success == (needed == {group}), (target, answer.text)
                if not answer.is_success:
                    assert f"parts of the API only: {group}" in answer.json()["error"]["reason"]
        assert client.get("/_security/_authenticate").is_success


def test_a_caller_of_all_parts_uses_all_of_them(limited: Gateway, forger: Forger) -> None:
    with limited.client(forger.mint(f"every{_DOMAIN}")) as client:
        for target in [target for targets in _REQUESTS.values() for target in targets]:
            assert client.get(target).is_success, target


def test_a_search_that_with_types_is_a_document_needs_both_parts(limited: Gateway, forger: Forger) -> None:
    for group in (ApiGroup.DOCUMENTS, ApiGroup.SEARCH):
        with limited.client(forger.mint(f"only-{group.lower()}{_DOMAIN}")) as client:
            assert client.get("/i/_doc/_search").status_code == httpx.codes.FORBIDDEN
    with limited.client(forger.mint(f"every{_DOMAIN}")) as client:
        assert client.get("/i/_doc/_search").is_success


def _post(gateway: Gateway, token: str, size: int, *, chunked: bool) -> int:
    content = iter([b"x" * size]) if chunked else b"x" * size
    with gateway.client(token) as client:
        answer = client.post("/i/_doc", content=content)
    if answer.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
        assert answer.json()["error"]["type"] == "gateway_body_limit_exception"
        assert answer.json()["status"] == httpx.codes.REQUEST_ENTITY_TOO_LARGE
    return answer.status_code


@pytest.mark.parametrize(
    ("caller", "most", "chunked"),
    [
        ("small", 1000, False),
        ("small", 1000, True),
        ("anybody", MEGABYTE, False),
        ("anybody", MEGABYTE, True),
        ("medium", 6 * MEGABYTE, False),
        ("medium", 6 * MEGABYTE, True),
        ("large", 8 * MEGABYTE, False),
        ("large", 8 * MEGABYTE, True),
    ],
)
def test_a_body_has_at_most_the_bytes_of_its_caller(
    caller: str, most: int, *, chunked: bool, limited: Gateway, recorder: Recorder, forger: Forger
) -> None:
    token = forger.mint(caller + _DOMAIN)
    recorder.arrived.clear()
    assert _post(limited, token, most, chunked=chunked) == httpx.codes.OK
    assert [len(one.body) for one in recorder.arrived] == [most]
    recorder.arrived.clear()
    assert _post(limited, token, most + 1, chunked=chunked) == httpx.codes.REQUEST_ENTITY_TOO_LARGE
    assert not recorder.arrived


def test_a_caller_beyond_its_rate_is_told_when_to_retry_and_others_are_served(limited: Gateway, forger: Forger) -> None:
    with limited.client(forger.mint(f"rated{_DOMAIN}")) as client:
        answers = [client.get("/") for _ in range(20)]
    refused = [one for one in answers if one.status_code == httpx.codes.TOO_MANY_REQUESTS]
    assert len(refused) >= 10
    assert refused[0].headers["retry-after"] == "1"
    assert refused[0].json()["error"]["type"] == "gateway_rate_limit_exception"
    with limited.client(forger.mint(f"other{_DOMAIN}")) as client:
        assert all(client.get("/").is_success for _ in range(20))


def _asserted(gateway: Gateway, assertion: str, token: str = "") -> int:
    headers = {"x-goog-iap-jwt-assertion": assertion, **({"authorization": f"Bearer {token}"} if token else {})}
    with httpx.Client(base_url=gateway.url, verify=gateway.trust(), headers=headers, timeout=30) as client:
        return client.get("/i/_search").status_code


@pytest.mark.parametrize(
    ("email", "claims", "status"),
    [
        ("jane@example.com", {}, 200),
        (f"app{_DOMAIN}", {}, 200),
        ("jane@other.example.com", {}, 403),
        ("jane@x@example.com", {}, 403),
        ("jane@example.com\n", {}, 403),
        ("jane@example.com", {"aud": "/projects/9/global/backendServices/9"}, 403),
        ("jane@example.com", {"aud": [IAP_AUDIENCE]}, 403),
        ("jane@example.com", {"exp": 1}, 401),
        ("jane@example.com", {"exp": None}, 401),
        ("jane@example.com", {"email": None}, 403),
    ],
)
def test_the_proxys_assertion(
    email: str, claims: dict[str, object], status: int, limited: Gateway, recorder: Recorder, forger: Forger
) -> None:
    recorder.arrived.clear()
    said = {**forger.claims(email), **claims}
    assert _asserted(limited, forger.assertion(said.pop("email") or "", **_only(claims))) == status
    assert [one.all("es-security-runas-user") for one in recorder.arrived] == (
        [[f"searchaccess.prod.{email}"]] if status == 200 else []
    )
    assert not any(name.startswith("x-goog") for one in recorder.arrived for name, _ in one.headers)


def _only(claims: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in claims.items() if name in {"aud", "exp"}}


def test_the_assertion_counts_if_there_is_one_and_no_token_saves_a_wrong_one(
    limited: Gateway, recorder: Recorder, forger: Forger
) -> None:
    token = forger.mint(f"app{_DOMAIN}")
    recorder.arrived.clear()
    assert _asserted(limited, "x", token) == 401
    assert _asserted(limited, token, token) == 401
    assert _asserted(limited, forger.assertion("jane@other.example.com"), token) == 403
    assert not recorder.arrived
    assert _asserted(limited, forger.assertion("jane@example.com"), token) == 200
    assert recorder.arrived[0].all("es-security-runas-user") == ["searchaccess.prod.jane@example.com"]
    assert _asserted(limited, "", forger.assertion("jane@example.com")) == 401


def test_each_request_is_a_line_of_the_log_without_token_and_query(limited: Gateway, forger: Forger) -> None:
    token = forger.mint(f"logged{_DOMAIN}", sub="123")
    headers = {"x-opaque-id": "o" * 300, "traceparent": "00-1-2-01", "user-agent": 'a"\n'.strip()}
    with limited.client(token) as client:
        client.get("/i/_search?q=secret-of-a-query", headers=headers)
        client.get("/_security/user?secret-of-a-query")
    with limited.client(token + "x") as client:
        client.get("/i/_search")
    lines = eventually(
        lambda: [one for one in limited.requests() if one["principal"] == f"logged{_DOMAIN}"][1:] and limited.requests()
    )
    good = next(one for one in lines if one["principal"] == f"logged{_DOMAIN}")
    assert set(good) == {*FIELDS, "version"}
    assert (good["status"], good["path"], good["method"], good["subject"]) == (200, "/i/_search", "GET", "123")
    assert good["version"] == limited.rendered.version
    assert good["opaqueId"] == "o" * 256
    assert good["traceparent"] == "00-1-2-01"
    assert any(one["details"] == "rbac_access_denied_matched_policy[security-api]" for one in lines)
    failed = eventually(lambda: [one for one in limited.requests() if one["status"] == 401 and one["tokenFailure"]])
    assert failed[-1]["principal"] is None
    log = limited.log()
    assert "secret-of-a-query" not in log
    assert token[-40:] not in log
    assert "first-password" not in log
    assert "Basic " not in log


def test_requests_are_counted_by_caller_only_for_those_that_are_let_in(limited: Gateway, forger: Forger) -> None:
    with limited.client(forger.mint(f"counted{_DOMAIN}")) as client:
        client.get("/")
        client.get("/_security/user")
    for token in (forger.attacker.mint(f"forged{_DOMAIN}"), forger.mint("person@example.com")):
        with limited.client(token) as client:
            client.get("/")
    text = limited.health("/stats/prometheus").text
    assert f'envoy_gateway_requests{{principal="counted{_DOMAIN}",code="200"}} 1' in text
    assert f'envoy_gateway_requests{{principal="counted{_DOMAIN}",code="403"}} 1' in text
    assert "forged" not in text
    assert "person@" not in text
    assert 'envoy_gateway_answers{code="401"}' in text


def test_counters_by_caller_are_limited_in_number(
    settings: GatewaySettings, forger: Forger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_MOST_COUNTERS", 3)
    with Gateway(settings) as server:
        for number in range(6):
            with server.client(forger.mint(f"a{number}{_DOMAIN}")) as client:
                assert client.get("/").is_success
        text = server.health("/stats/prometheus").text
    assert text.count("envoy_gateway_requests{") == 3


@pytest.mark.parametrize(
    "path", ["/", "/stats", "/config_dump", "/version?x", "/ready/", "/stats/prometheus?filter=x", "//ready"]
)
def test_nothing_else_of_the_administration_is_at_the_port_for_health_checks(path: str, limited: Gateway) -> None:
    assert limited.health(path).status_code == httpx.codes.NOT_FOUND


def test_the_administration_cannot_be_changed_at_the_port_for_health_checks(limited: Gateway) -> None:
    url = f"http://127.0.0.1:{limited.paths.health_port}/ready"
    assert httpx.post(url, timeout=30).status_code == httpx.codes.NOT_FOUND


def test_answers_of_elasticsearch_pass_unchanged(limited: Gateway, recorder: Recorder, forger: Forger) -> None:
    for status in (400, 403, 404, 413, 429, 503):
        said = Answer(
            status, b'{"error":{"type":"its_own"},"status":%d}' % status, {"x-elastic-product": "Elasticsearch"}
        )
        recorder.answers = lambda _, said=said: said  # type: ignore[misc]
        with limited.client(forger.mint(f"app{_DOMAIN}")) as client:
            answer = client.get("/i/_search")
        assert (answer.status_code, answer.content) == (status, said.body)
        assert answer.headers["x-elastic-product"] == "Elasticsearch"
    recorder.answers = lambda _: Answer()


@pytest.mark.parametrize("name", sorted(CASES))
def test_envoy_takes_each_reviewed_configuration_without_a_warning(
    name: str, loopback: ServerCertificate, keys: KeyPublisher
) -> None:
    """Of unknown and deprecated fields, of parts that are not finished, and of expressions that are too large."""
    ca = loopback.ca_file.read_text()
    hosts = tuple(
        Upstream(h, 1 + n) for n, h in enumerate(("127.0.0.1", "localhost", "127.0.0.1")[: len(CASES[name].upstreams)])
    )
    own = replace(CASES[name], jwks_url=keys.url, jwks_ca=ca, upstreams=hosts, ca=ca if CASES[name].ca else "")
    server = Gateway(own, iap_keys=keys.url, system_ca=loopback.ca_file)
    try:
        assert not _warnings(server.validate())
        server.start()
        assert exchange(server, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")[0][0] == 401
        assert not _warnings(server.log())
        assert json.loads(server.rendered.listeners)["version_info"] == server.version()
    finally:
        server.close()


def _warnings(log: str) -> list[str]:
    return [line for line in log.splitlines() if re.search(r"\]\[(warning|error|critical)\]", line)]
