"""Whether a connection is private."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from searchaccess.api.searchcluster import Exposure, SearchClusterSpec
from searchaccess.core.clusters.connection import Connection
from searchaccess.core.clusters.exposure import Exposed, allowed_exposures, find_exposures, hosts_of, is_public, refusal
from tests.unit.builders import a_search_cluster

PUBLIC = ("34.76.1.1", "1.1.1.1", "2a00:1450:4001:82a::200e", "::ffff:34.76.1.1", "199.36.153.3", "199.36.153.12")
PRIVATE = (
    "10.0.0.1", "172.16.3.4", "192.168.1.1", "127.0.0.1", "169.254.1.1", "100.64.0.1", "240.0.0.1", "::1", "fd00::1",
    "fe80::1", "::ffff:10.0.0.1",
    # Private Google Access: https://cloud.google.com/vpc/docs/configure-private-google-access
    "199.36.153.4", "199.36.153.7", "199.36.153.8", "199.36.153.11",
)  # fmt: skip
ADDRESS, HTTP, UNVERIFIED = Exposure.PUBLIC_ADDRESS, Exposure.PLAIN_HTTP, Exposure.INSECURE_SKIP_VERIFY


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_that_the_internet_reaches(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_it_does_not(address: str) -> None:
    assert not is_public(address)


def test_hosts_are_named_once() -> None:
    urls = ("https://es-1:9200", "https://es-1:9201/path", "https://[::1]:9200", "http://10.0.0.1")
    assert hosts_of(Connection(urls)) == ["es-1", "::1", "10.0.0.1"]


CASES: list[tuple[str, Connection, Mapping[str, Sequence[str]], tuple[Exposed, ...]]] = [
    ("private", Connection(("https://es:9200",)), {"es": ["10.0.0.1", "fd00::1"]}, ()),
    ("not to be found", Connection(("https://es:9200",)), {"es": []}, ()),
    (
        "one address of several",
        Connection(("https://es:9200",)),
        {"es": ["10.0.0.1", "34.76.1.1"]},
        (Exposed(ADDRESS, "es (34.76.1.1) is a public address"),),
    ),
    (
        "the second host, given as an address",
        Connection(("https://es:9200", "https://1.1.1.1")),
        {"es": ["10.0.0.1"], "1.1.1.1": ["1.1.1.1"]},
        (Exposed(ADDRESS, "1.1.1.1 is a public address"),),
    ),
    (
        "plain http to one of two",
        Connection(("https://es:9200", "http://es:9201")),
        {"es": ["10.0.0.1"]},
        (Exposed(HTTP, "http://es:9201"),),
    ),
    (
        "everything at once",
        Connection(("http://es",), verify=False),
        {"es": ["34.76.1.1"]},
        (
            Exposed(HTTP, "http://es"),
            Exposed(UNVERIFIED, "certificates are not verified"),
            Exposed(ADDRESS, "es (34.76.1.1) is a public address"),
        ),
    ),
]


@pytest.mark.parametrize(
    ("connection", "addresses", "found"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_ways_in_which_a_connection_is_not_private(
    connection: Connection, addresses: Mapping[str, Sequence[str]], found: tuple[Exposed, ...]
) -> None:
    assert find_exposures(connection, addresses) == found


EVERYTHING = tuple(Exposed(how, f"what {how} is") for how in Exposure)


def test_what_is_not_allowed_by_name_is_refused() -> None:
    assert refusal((), frozenset()) == ""
    assert refusal(EVERYTHING, frozenset(Exposure)) == ""
    for missing in Exposure:
        text = refusal(EVERYTHING, frozenset(Exposure) - {missing})
        assert (
            text
            == f"what {missing} is; the login is not sent. If this is intended, set spec.allowExposure: [{missing}]"
        )


def spec(**changes: Any) -> SearchClusterSpec:
    whole = {key: value for key, value in (a_search_cluster()["spec"] | changes).items() if value is not None}
    return SearchClusterSpec.model_validate(whole)


def test_a_cloud_id_allows_a_public_address_and_no_more() -> None:
    assert allowed_exposures(spec()) == set()
    assert allowed_exposures(spec(urls=None, cloudId="prod:ZXVyb3BlLXdlc3QxLmdjcC5jbG91ZC5lcy5pbyRhYmMkZGVm")) == {
        ADDRESS
    }
    assert allowed_exposures(spec(urls=["http://es"], allowExposure=["PlainHttp"])) == {HTTP}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"urls": ["https://es", "http://es"]}, "use https://"),
        ({"urls": ["http://es"], "allowExposure": ["PublicAddress"]}, "use https://"),
        ({"ca": {"inline": "-----BEGIN CERTIFICATE-----"}, "allowExposure": ["InsecureSkipVerify"]}, "is verified"),
    ],
)
def test_what_contradicts_itself_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        spec(**changes)
