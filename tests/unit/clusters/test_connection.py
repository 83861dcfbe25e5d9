"""How a cluster is reached and who logs in: from what a SearchCluster says and what its Secrets have."""

import base64
from collections.abc import Mapping
from typing import Any

import pytest
from elastic_transport.client_utils import parse_cloud_id

from searchaccess.api.searchcluster import SearchClusterSpec
from searchaccess.core.clusters.connection import Connection, build_connection, cloud_url, sources_of
from searchaccess.core.clusters.sources import Incomplete, Source
from tests.support.pem import CERTIFICATE, PLACEHOLDER
from tests.unit.builders import a_search_cluster

PEM = CERTIFICATE.strip()
AUDIENCE = "https://search.example.com"
URL = "https://elasticsearch.example.com:9200"
LOGIN = Source("Secret", "search", "operator")
USER = {"username": b"operator", "password": b"geheim"}
ECK = {"namespace": "logging", "name": "quickstart"}
ECK_CA = Source("Secret", "logging", "quickstart-es-http-certs-public")
ECK_USER = Source("Secret", "logging", "quickstart-es-elastic-user")
REALM_SECRET = Source("Secret", "search", "realm")
AUTHORITY = Source("Secret", "search", "authority")

Read = Mapping[Source, Mapping[str, bytes] | None]


def spec(**changes: Any) -> SearchClusterSpec:
    """Return a spec; None takes a field away."""
    whole = {key: value for key, value in (a_search_cluster()["spec"] | changes).items() if value is not None}
    return SearchClusterSpec.model_validate(whole)


def cloud_id(text: str, name: str = "prod") -> str:
    return f"{name}:{base64.b64encode(text.encode()).decode()}"


IN_A_SECRET = {"ca": {"secretRef": {"namespace": "search", "name": "authority"}}}
OWN_SECRET = {"login": {"googleIdentity": {"clientSecretRef": {"namespace": "search", "name": "realm"}}}}
CONNECTIONS: list[tuple[str, dict[str, Any], Read, Connection]] = [
    ("user and password", {}, {LOGIN: USER}, Connection((URL,), "", "operator", "geheim")),
    (
        "a line's end behind the password",
        {},
        {LOGIN: {"username": b"operator", "password": b"geheim\n"}},
        Connection((URL,), "", "operator", "geheim"),
    ),
    ("an API key", {}, {LOGIN: {"apiKey": b"aWQ6a2V5\n"}}, Connection((URL,), api_key="aWQ6a2V5")),
    ("a service token", {}, {LOGIN: {"token": b"AAEAAWVs"}}, Connection((URL,), token="AAEAAWVs")),
    (
        "whoever answers",
        {"allowExposure": ["InsecureSkipVerify"]},
        {LOGIN: USER},
        Connection((URL,), "", "operator", "geheim", verify=False),
    ),
    (
        "whoever answers, with ECK",
        {"allowExposure": ["InsecureSkipVerify"], "eck": ECK},
        {LOGIN: USER},
        Connection((URL,), "", "operator", "geheim", verify=False),
    ),
    ("its own identity", {"login": {"googleIdentity": {}}}, {}, Connection((URL,), google_audience=AUDIENCE)),
    (
        "its own identity for another audience",
        {"login": {"googleIdentity": {"audience": "https://operators.example.com"}}},
        {},
        Connection((URL,), google_audience="https://operators.example.com"),
    ),
    (
        "its own identity and the realm's client secret",
        OWN_SECRET,
        {REALM_SECRET: {"clientSecret": b"geheim\n"}},
        Connection((URL,), google_audience=AUDIENCE, client_secret="geheim"),
    ),
    (
        "several addresses",
        {"urls": [URL, "https://other.example.com:9200"]},
        {LOGIN: USER},
        Connection((URL, "https://other.example.com:9200"), "", "operator", "geheim"),
    ),
    ("certificates inline", {"ca": {"inline": PEM}}, {LOGIN: USER}, Connection((URL,), PEM, "operator", "geheim")),
    (
        "certificates in a Secret",
        IN_A_SECRET,
        {LOGIN: USER, AUTHORITY: {"ca.crt": PEM.encode()}},
        Connection((URL,), PEM, "operator", "geheim"),
    ),
    (
        "certificates in a ConfigMap under another key",
        {"ca": {"configMapRef": {"namespace": "search", "name": "authority", "key": "bundle.pem"}}},
        {LOGIN: USER, Source("ConfigMap", "search", "authority"): {"bundle.pem": PEM.encode()}},
        Connection((URL,), PEM, "operator", "geheim"),
    ),
    (
        "a Cloud ID",
        {"urls": None, "cloudId": cloud_id("europe-west1.gcp.cloud.es.io$abc$def")},
        {LOGIN: {"apiKey": b"a2V5"}},
        Connection(("https://abc.europe-west1.gcp.cloud.es.io:443",), api_key="a2V5", public=True),
    ),
    (
        "ECK with all that is its own",
        {"urls": None, "login": None, "eck": ECK},
        {ECK_CA: {"ca.crt": PEM.encode()}, ECK_USER: {"elastic": b"secret"}},
        Connection(("https://quickstart-es-http.logging.svc:9200",), PEM, "elastic", "secret"),
    ),
    (
        "ECK with a login of the operator's own",
        {"urls": None, "eck": ECK},
        {ECK_CA: {"ca.crt": PEM.encode()}, LOGIN: USER},
        Connection(("https://quickstart-es-http.logging.svc:9200",), PEM, "operator", "geheim"),
    ),
    (
        "ECK from outside, by another address and authority",
        {"eck": ECK, "login": None, "ca": {"inline": PEM}},
        {ECK_USER: {"elastic": b"secret"}},
        Connection((URL,), PEM, "elastic", "secret"),
    ),
]


@pytest.mark.parametrize(("changes", "read", "expected"), [pytest.param(*rest, id=text) for text, *rest in CONNECTIONS])
def test_a_connection(changes: dict[str, Any], read: Read, expected: Connection) -> None:
    declared = spec(**changes)
    assert set(sources_of(declared)) == set(read), "nothing else is read"
    assert build_connection(declared, read) == expected


INCOMPLETE: list[tuple[str, dict[str, Any], Read, str]] = [
    ("no Secret", {}, {LOGIN: None}, "Secret search/operator does not exist"),
    ("an empty Secret", {}, {LOGIN: {}}, "Secret search/operator lacks username and password, or apiKey, or token"),
    ("no password", {}, {LOGIN: {"username": b"x"}}, "Secret search/operator lacks password"),
    ("no user", {}, {LOGIN: {"password": b"geheim"}}, "Secret search/operator lacks username"),
    (
        "two logins",
        {},
        {LOGIN: {**USER, "apiKey": b"geheim"}},
        "Secret search/operator has apiKey and password and username: keep only one login",
    ),
    (
        "a key and a token",
        {},
        {LOGIN: {"token": b"geheim", "apiKey": b"geheim"}},
        "Secret search/operator has apiKey and token: keep only one login",
    ),
    ("no text", {}, {LOGIN: {"username": b"x", "password": b"\xff\xfegeheim"}}, "password is not text"),
    (
        "a line's end inside",
        {},
        {LOGIN: {"apiKey": b"geheim\nX: y"}},
        "apiKey has characters that cannot be sent in a header",
    ),
    ("no certificates", IN_A_SECRET, {LOGIN: USER, AUTHORITY: None}, "Secret search/authority does not exist"),
    ("no such key", IN_A_SECRET, {LOGIN: USER, AUTHORITY: {"tls.crt": b"x"}}, "Secret search/authority lacks ca.crt"),
    (
        "something else in place of certificates",
        IN_A_SECRET,
        {LOGIN: USER, AUTHORITY: {"ca.crt": b"geheim"}},
        "Secret search/authority: ca.crt contains no readable certificate",
    ),
    (
        "a placeholder in place of certificates",
        IN_A_SECRET,
        {LOGIN: USER, AUTHORITY: {"ca.crt": PLACEHOLDER.encode()}},
        "Secret search/authority: ca.crt contains no readable certificate",
    ),
    (
        "a realm with a client secret that the operator does not have",
        {
            "login": {"googleIdentity": {}},
            "identity": {"jwtRealm": {"name": "google", "audience": AUDIENCE, "clientAuthentication": "SharedSecret"}},
        },
        {},
        "spec.login.googleIdentity.clientSecretRef is missing: the realm requires its shared client secret",
    ),
    (
        "a client secret with a line's end inside",
        OWN_SECRET,
        {REALM_SECRET: {"clientSecret": b"geheim\nX: y"}},
        "clientSecret has characters that cannot be sent in a header",
    ),
    ("no client secret", OWN_SECRET, {REALM_SECRET: {}}, "Secret search/realm lacks clientSecret"),
    (
        "ECK is not there",
        {"urls": None, "login": None, "eck": ECK},
        {ECK_CA: None, ECK_USER: None},
        "Secret logging/quickstart-es-",
    ),
]


@pytest.mark.parametrize(("changes", "read", "says"), [pytest.param(*rest, id=text) for text, *rest in INCOMPLETE])
def test_what_is_missing_is_named_and_nothing_secret_is_shown(changes: dict[str, Any], read: Read, says: str) -> None:
    with pytest.raises(Incomplete) as caught:
        build_connection(spec(**changes), read)
    assert says in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_a_connection_does_not_show_its_secrets() -> None:
    text = repr(Connection((URL,), "", "operator", "geheim-1", "geheim-2", "geheim-3", "", "geheim-4"))
    assert "operator" in text
    assert "geheim" not in text


CLOUD_IDS = [
    "us-east-1.aws.found.io$4fa8821e75634032bed1cf22110e2f97$4fa8821e75634032bed1cf22110e2f96",
    "us-east-1.aws.found.io:9243$4fa8821e$4fa8821f",
    "cloud.example.com$es$",
]


@pytest.mark.parametrize("text", CLOUD_IDS)
@pytest.mark.parametrize("name", ["prod", ""])
def test_a_cloud_id_is_read_as_elastics_own_client_reads_it(text: str, name: str) -> None:
    host, port = parse_cloud_id(cloud_id(text, name)).es_address or ("", 0)
    assert cloud_url(cloud_id(text, name)) == f"https://{host}:{port}"


@pytest.mark.parametrize(
    "bad",
    [
        "prod:",
        "prod:%%%",
        cloud_id("no dollar"),
        cloud_id("$es$kibana"),
        cloud_id("host$$kibana"),
        cloud_id("host/path$es"),
        cloud_id("user@host$es"),
        cloud_id("host:port$es"),
        cloud_id("cloud.example.com:443$es:9999$kibana:8888"),
        cloud_id("hößt$es"),
    ],
)
def test_what_is_no_cloud_id_is_refused(bad: str) -> None:
    with pytest.raises(Incomplete, match=r"spec\.cloudId is not a Cloud ID"):
        cloud_url(bad)
