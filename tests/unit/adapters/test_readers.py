"""Every reader of what comes from outside gives what it says, or an error of ours, whatever it is given."""

import copy
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import elastic_transport
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.aio.client.exceptions import ApiException

from searchaccess.adapters.elasticsearch import errors as elasticsearch_errors
from searchaccess.adapters.elasticsearch import readers
from searchaccess.adapters.kubernetes import errors as kubernetes_errors
from searchaccess.adapters.kubernetes.leases import lease_of
from searchaccess.adapters.kubernetes.secrets import held_in, secret_of
from searchaccess.adapters.vault import secrets as vault
from searchaccess.api.searchcluster import PrincipalClaim
from searchaccess.core.clusters.cluster import License
from searchaccess.core.clusters.realm import Mismatch, WantedRealm, check_realm
from searchaccess.core.credentials.credential import Key, Secret, Slot
from searchaccess.core.credentials.keys import Login, key_from_json, key_metadata
from searchaccess.core.credentials.users import user_from_json, user_metadata, user_name
from searchaccess.core.model.canonical import RoleBody, role_from_json
from searchaccess.core.model.intake.reading import LARGEST, is_label, is_uid, mapping, readable, readable_list
from searchaccess.core.rights.mapping import RoleMapping, build_template_mapping, mapping_of
from searchaccess.core.rights.ownership import RoleMetadata, metadata_from_json
from searchaccess.ports.elasticsearch import ClusterFingerprint, MadeKey, Probe, Written
from searchaccess.ports.errors import ExternalError
from searchaccess.ports.leases import Lease
from tests.unit.adapters.anything import VALUES, damaged
from tests.unit.builders import OPERATOR, an_access, an_entry, our_metadata

LOGIN = Login("operator", "native", by_api_key=False)
REALM = WantedRealm("google", "https://es.example.com", "https://accounts.google.com")
NOW = datetime(2026, 1, 1, tzinfo=UTC)

ROLE = {
    "cluster": ["monitor"],
    "indices": [
        {
            "names": ["orders-*"],
            "privileges": ["read"],
            "field_security": {"grant": ["*"], "except": ["a"]},
            "query": '{"term":{"region":"eu"}}',
            "allow_restricted_indices": False,
        }
    ],
    "applications": [{"application": "kibana", "privileges": ["all"], "resources": ["*"]}],
    "run_as": [],
    "description": "a role",
    "metadata": our_metadata(),
    "transient_metadata": {"enabled": True},
}
MAPPING = build_template_mapping(OPERATOR, "google", PrincipalClaim.EMAIL).to_json()
KEY = {
    "id": "key-1",
    "creation": 1_700_000_000_000,
    "expiration": 1_700_000_060_000,
    "invalidated": False,
    "username": "operator",
    "realm": "native",
    "metadata": key_metadata(OPERATOR, an_access(), 3, "asked", Slot("s1", 7)),
    "role_descriptors": {"searchaccess": {"cluster": ["monitor"], "indices": [an_entry()]}},
}
USER = {
    "username": user_name(OPERATOR, "shop", "orders", 1) + ".12345678",
    "roles": ["x"],
    "enabled": True,
    "metadata": user_metadata(OPERATOR, an_access(), Key("x", "uid-orders", 1, 1.0, None, RoleBody())),
}


@given(damaged(ROLE))
def test_a_role(raw: Any) -> None:
    served = readable({"x": raw})["x"]
    body = role_from_json(served)
    assert isinstance(body, RoleBody)
    assert body.hash
    assert role_from_json(body.to_json()).hash, "what was observed can be written back"
    assert all(entry.hash for entry in body.entries)
    metadata = metadata_from_json(mapping(served.get("metadata")))
    assert isinstance(metadata, RoleMetadata)
    for record in metadata.records:
        assert is_label(record.namespace)
        assert is_uid(record.uid)
        assert record.generation <= LARGEST
    assert OPERATOR.owns(served.get("metadata")) in {True, False}


@given(damaged(MAPPING))
def test_a_role_mapping(raw: Any) -> None:
    found = mapping_of("x", readable({"x": raw})["x"])
    assert isinstance(found, RoleMapping)
    assert found.to_json()
    assert mapping_of("x", found.to_json()).to_json()


@given(damaged(KEY))
def test_a_key(raw: Any) -> None:
    for item in readable_list([raw]):
        key = key_from_json(item, OPERATOR, LOGIN)
        assert key is None or _is_sound(key)


@given(damaged(USER), st.none() | damaged(ROLE))
def test_a_user(raw: Any, role: Any) -> None:
    for item in readable_list([raw]):
        user = user_from_json(item, role if role is None else readable({"x": role})["x"], OPERATOR)
        assert user is None or _is_sound(user)


def _is_sound(key: Key) -> bool:
    assert key.id.encode()
    assert is_label(key.namespace)
    assert is_uid(key.owner)
    assert 0 <= key.sequence <= LARGEST
    assert 0 <= key.slot.number <= LARGEST
    assert datetime.fromtimestamp(key.created, UTC)
    assert key.expires is None or datetime.fromtimestamp(key.expires, UTC)
    return not set("/\\") & set("".join(key.place)) and ".." not in key.place[1]


NODES = {"n1": {"name": "one", "settings": {"xpack": {"security": {"authc": {"realms": {"jwt": {"google": {
    "allowed_issuer": "https://accounts.google.com", "claims": {"principal": "email"}, "order": "1",
}}}}}}}}}  # fmt: skip


@given(damaged(NODES))
def test_a_realm(nodes: Any) -> None:
    found = check_realm(nodes, REALM)
    assert all(isinstance(item, Mismatch) and len(item.have) <= 300 for item in (*found.mismatches, *found.doubts))


STATS = {"indices": {".security-7": {"uuid": "u", "shards": {"0": [{"seq_no": {"max_seq_no": 5}}]}}}}
BULK = {
    "created": ["a"],
    "updated": ["b"],
    "noop": ["c"],
    "errors": {
        "count": 1,
        "details": {"d": {"type": "security_exception", "reason": "no", "caused_by": {"reason": "x"}}},
    },
}
PRIVILEGES = {"has_all_requested": False, "cluster": {"monitor": False}, "index": {"orders-*": {"read": False}}}
TRIAL = {"type": "trial", "status": "active", "expiry_date_in_millis": 1798000000000}
INFO = {"version": {"number": "8.19.0"}, "cluster_uuid": "u"}
AUTHENTICATED = {"username": "x", "authentication_realm": {"name": "native"}, "authentication_type": "realm"}

SEARCH: list[tuple[str, Any, Callable[[Any], Any], type | tuple[type, ...]]] = [
    ("identity", INFO, readers.identity_of, tuple),
    ("license", {"license": TRIAL}, readers.license_of, License),
    (
        "fingerprint",
        {"state_uuid": "s", "nodes": {"a": {"ephemeral_id": "x"}}},
        readers.fingerprint_of,
        ClusterFingerprint,
    ),
    ("probe", STATS, readers.probe_of, (Probe, type(None))),
    ("login", AUTHENTICATED, readers.login_of, Login),
    ("privileges", PRIVILEGES, readers.missing_in, tuple),
    ("keys", {"api_keys": [KEY]}, readers.keys_of, list),
    ("users", {"users": [USER]}, lambda answer: readers.users_of(answer, 1), tuple),
    (
        "all keys",
        {"total": 1, "count": 1, "api_keys": [KEY]},
        lambda answer: readers.all_of(readers.keys_of, answer),
        (list, type(None)),
    ),
    ("made key", {"id": "i", "api_key": "k", "expiration": 9}, lambda raw: readers.made_key_of(raw, 60), MadeKey),
    ("time", [{"epoch": "1700000000"}], readers.time_of, float),
    ("bulk", BULK, lambda answer: readers.written_of(answer, ("created", "updated"), "noop"), Written),
]


@pytest.mark.parametrize(("good", "read", "kind"), [pytest.param(*rest, id=text) for text, *rest in SEARCH])
def test_an_answer_of_elasticsearch(good: Any, read: Callable[[Any], Any], kind: Any) -> None:
    assert isinstance(read(good), kind)

    @given(damaged(good))
    def any_answer(answer: Any) -> None:
        try:
            found = read(answer)
        except ExternalError:
            return
        assert isinstance(found, kind)

    any_answer()


def test_a_part_of_all_is_not_all() -> None:
    one = {"id": "k", "metadata": {}}
    assert readers.all_of(readers.keys_of, {"total": 1, "count": 1, "api_keys": [one]}) == [one]
    assert readers.all_of(readers.keys_of, {"total": 2, "count": 1, "api_keys": [one]}) is None
    assert readers.all_of(readers.keys_of, {"api_keys": [one]}) is None


@given(
    damaged({"error": {"type": "x", "reason": "outer", "root_cause": [{"reason": "x"}], "caused_by": {"reason": "y"}}})
)
def test_an_error_of_elasticsearch(body: Any) -> None:
    node = elastic_transport.NodeConfig("https", "host", 9200)
    meta = elastic_transport.ApiResponseMeta(400, "1.1", elastic_transport.HttpHeaders(), 0.1, node)
    ours = elasticsearch_errors.map_error(elastic_transport.ApiError("x", meta, body))
    assert ours.message.encode()
    assert len(ours.message) < 5000
    assert isinstance(elasticsearch_errors.map_item(mapping(body)), ExternalError)


@given(st.binary(max_size=20) | damaged({"message": "what is wrong"}), st.integers(min_value=100, max_value=599))
def test_an_error_of_the_api_server(body: Any, status: int) -> None:
    ours = kubernetes_errors.map_error(ApiException(status=status, body=body))
    assert ours.message.encode()
    assert len(ours.message) < 2000


SECRET: dict[str, Any] = {
    "metadata": {
        "uid": "a-uid",
        "resourceVersion": "7",
        "labels": {"app.kubernetes.io/managed-by": "searchaccess.dev"},
        "annotations": {
            "searchaccess.dev/instance": "default",
            "searchaccess.dev/owner-uid": "uid-orders",
            "searchaccess.dev/version": "3",
            "searchaccess.dev/sha256": "x",
        },
    },
    "data": {"credential": "eA=="},
}


@given(damaged(SECRET))
def test_a_secret_of_kubernetes(raw: Any) -> None:
    assert isinstance(held_in(mapping(raw)), str)
    try:
        secret = secret_of(mapping(raw), OPERATOR)
    except ExternalError:
        return
    _check(secret)


def _check(secret: Secret) -> None:
    assert secret.owner == "" or is_uid(secret.owner)
    assert all(0 <= version.number <= LARGEST for version in secret.versions)
    assert secret.newest is None or secret.newest.number + 1 < 2**53


@pytest.mark.parametrize("number", ["9" * 4301, "9" * 19, "-1", "x", "٣", "1e3", ""])
def test_a_number_that_is_none_is_no_version_of_a_secret(number: str) -> None:
    """A tenant may write annotations of its own Secret: 4,301 digits are more than Python reads."""
    raw = copy.deepcopy(SECRET)
    raw["metadata"]["annotations"]["searchaccess.dev/version"] = number
    secret = secret_of(raw, OPERATOR)
    assert (secret.owner, secret.versions) == ("uid-orders", ())


LEASE = {
    "metadata": {"name": "searchaccess-default-prod", "resourceVersion": "7"},
    "spec": {"holderIdentity": "a", "leaseTransitions": 3},
}


@given(damaged(LEASE))
def test_a_lease(raw: Any) -> None:
    lease = lease_of(raw, "searchaccess-default-")
    assert lease is None or (isinstance(lease, Lease) and 0 <= lease.transitions < 2**31 and "/" not in lease.name)


VAULT: dict[str, Any] = {
    "data": {
        "created_time": "2026-01-01T00:00:00Z",
        "current_version": 1,
        "custom_metadata": {
            "managed-by": "searchaccess.dev",
            "searchaccess-instance": "default",
            "searchaccess-owner-uid": "uid-orders",
        },
        "versions": {"1": {"created_time": "2026-01-01T00:00:00Z", "deletion_time": "", "destroyed": False}},
    }
}


@given(damaged(VAULT))
def test_a_secret_of_vault(answer: Any) -> None:
    try:
        secret = vault.secret_of(answer, "secret/orders", OPERATOR, NOW)
    except ExternalError:
        return
    _check(secret)


@given(damaged({"data": {"data": {"id": "x", "api_key": "y", "encoded": "z"}}}) | VALUES)
def test_a_version_of_vault(answer: Any) -> None:
    assert isinstance(vault.held_in(answer), str)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01T00:00:00Z"])
def test_moments_at_the_ends_of_time(moment: str) -> None:
    versions = {"1": {"deletion_time": moment, "destroyed": False}}
    _check(vault.secret_of({"data": VAULT["data"] | {"versions": versions}}, "secret/orders", OPERATOR, NOW))


@given(st.integers(1_700_000_000_000, 1_900_000_000_000), st.floats(3600, 90 * 86400))
def test_when_a_key_was_made_is_the_same_from_the_answer_and_from_reading_it(made: int, lifetime: float) -> None:
    """Else the status of every key would change by a second, now and then, at the next start."""
    answer = {"id": "i", "api_key": "k", "expiration": made + 1000 * math.ceil(lifetime)}
    key = key_from_json({**KEY, "creation": made}, OPERATOR, LOGIN)
    assert key is not None
    assert readers.made_key_of(answer, lifetime).created == key.created


@given(st.integers(1_700_000_000_000, 1_900_000_000_000))
def test_when_a_user_was_made_is_the_same_before_and_after_it_is_recorded(made: int) -> None:
    new = Key("x", "uid-orders", 1, made / 1000, None, RoleBody())
    user = user_from_json({**USER, "metadata": user_metadata(OPERATOR, an_access(), new)}, None, OPERATOR)
    assert user is not None
    assert user.created == new.created
