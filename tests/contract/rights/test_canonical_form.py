"""What was sent reads back the same in its canonical form: else every sweep would see drift that is none."""

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from searchaccess.api.searchaccess import SearchAccessSpec
from searchaccess.api.vocabulary.actions import Action
from searchaccess.core.model.canonical import (
    Entry,
    MappingBody,
    RoleBody,
    canonical_json,
    canonical_query,
    place_of,
    role_from_json,
)
from searchaccess.core.model.canonical import mapping_from_json as read_mapping
from searchaccess.core.model.parsing import build_share
from searchaccess.core.rights.mapping import RoleMapping, mapping_of
from searchaccess.core.rights.ownership import Role
from tests.contract.elasticsearch_sides import ElasticsearchSide, RealSide
from tests.support.memory.elasticsearch import served_mapping, served_role

MANY = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

fields = st.sampled_from(["region", "amount", "customer.name", "ä", "a b"])
scalars = st.one_of(
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
leaves = st.one_of(
    st.builds(lambda field, value: {"term": {field: value}}, fields, scalars),
    st.builds(lambda field, value: {"term": {field: {"value": value}}}, fields, scalars),
    st.builds(lambda field, values: {"terms": {field: values}}, fields, st.lists(scalars, max_size=3)),
    st.builds(lambda field: {"exists": {"field": field}}, fields),
    st.builds(lambda field, value: {"range": {field: {"gte": value}}}, fields, st.integers(-99, 99)),
    st.just({"match_all": {}}),
)
queries = st.recursive(
    leaves,
    lambda inner: st.builds(
        lambda kind, several: {"bool": {kind: several}},
        st.sampled_from(["must", "should", "filter", "must_not"]),
        st.lists(inner, max_size=3),
    ),
    max_leaves=5,
)
index_names = st.sampled_from(["orders", "orders-*", "logs-?", "*", "/orders-[0-9]+/", "kibana_x", "ä-*", ".hidden"])
privileges = st.sampled_from(["read", "index", "create", "delete", "all", "manage", "indices:data/read/search"])
granted_fields = st.sampled_from(["*", "customer.*", "customer.ssn", "amount", "region"])


def _some(strategy: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(strategy, min_size=1, max_size=3, unique=True)


def _sorted(strategy: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return _some(strategy).map(lambda found: tuple(sorted(found)))


entries = st.builds(
    lambda names, allowed, included, query, clusters, *, restricted: Entry(
        names, allowed, included, (), canonical_query(query), restricted, clusters=clusters
    ),
    _sorted(index_names),
    _sorted(privileges),
    st.just(("*",)) | _sorted(granted_fields),
    st.none() | queries,
    st.just(()) | st.sampled_from([("eu",), ("*", "eu-*")]),
    restricted=st.booleans(),
) | st.builds(
    lambda names, excluded: Entry(names, ("read",), ("*",), excluded), _sorted(index_names), _sorted(granted_fields)
)
bodies = st.builds(
    RoleBody,
    cluster=st.just(()) | _sorted(st.sampled_from(["monitor", "read_ilm", "manage_ilm"])),
    entries=st.lists(entries, max_size=4).map(tuple),
    description=st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
)
specs = st.builds(
    lambda grants, cluster: {
        "cluster": "prod",
        "subject": {"serviceAccount": "a@b.iam.gserviceaccount.com"},
        "grants": grants,
        "clusterCan": cluster,
    },
    st.lists(
        st.builds(
            lambda indices, can, where: (
                {"indices": indices, "can": ["read", *can]}
                | ({"where": where} if where else {})
                | ({} if can else {"remoteClusters": ["us", "eu-*"]})
            ),
            _some(index_names),
            st.lists(
                st.sampled_from([action.value for action in Action if action is not Action.READ]),
                max_size=3,
                unique=True,
            ),
            st.none() | queries,
        ),
        min_size=1,
        max_size=3,
        unique_by=lambda grant: frozenset(grant["indices"]),
    ),
    st.lists(st.sampled_from(["monitor", "read_ilm", "manage_ingest_pipelines"]), max_size=2, unique=True),
)
clusters = st.lists(st.sampled_from(["eu", "eu-*", "*"]), min_size=1, max_size=3)
raw_entries = st.builds(
    lambda names, allowed, extra: {"names": names, "privileges": allowed} | extra,
    st.lists(index_names, min_size=1, max_size=4),
    _some(privileges),
    st.fixed_dictionaries(
        {},
        optional={
            "query": queries | queries.map(json.dumps) | st.just(""),
            "field_security": st.just({"grant": ["b", "a", "a"]}) | st.just({"grant": ["*"], "except": ["b", "a"]}),
            "allow_restricted_indices": st.booleans(),
        },
    ),
)
raw_roles = st.fixed_dictionaries(
    {},
    optional={
        "cluster": st.lists(st.sampled_from(["monitor", "read_ilm"]), max_size=3),
        "indices": st.lists(raw_entries, max_size=3),
        "remote_indices": st.lists(
            st.builds(lambda entry, found: entry | {"clusters": found}, raw_entries, clusters), max_size=2
        ),
        "description": st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
        "metadata": st.dictionaries(
            st.text("abc", min_size=1, max_size=3), scalars | st.none() | st.lists(scalars, max_size=2), max_size=3
        ),
        "run_as": st.lists(st.sampled_from(["kibana", "elastic"]), max_size=2),
        "applications": st.just([{"application": "kibana-.kibana", "privileges": ["all"], "resources": ["*"]}]),
    },
)


async def _write_and_read(search: ElasticsearchSide, written: Sequence[RoleBody]) -> list[RoleBody]:
    roles = [Role(search.name(f"r{number}"), body, {"made_by": "contract"}) for number, body in enumerate(written)]
    answer = await search.port.put_roles(roles)
    assert not answer.refused, answer.refused
    found = await search.port.roles([role.name for role in roles])
    return [role_from_json(found[role.name]) for role in roles]


@MANY
@given(written=st.lists(bodies, min_size=20, max_size=30))
async def test_roles_read_as_they_were_written(search: ElasticsearchSide, written: list[RoleBody]) -> None:
    for sent, found in zip(written, await _write_and_read(search, written), strict=True):
        assert found.same_as(sent), (sent, found)
        assert found.hash == sent.hash


@MANY
@given(declared=st.lists(specs, min_size=10, max_size=20))
async def test_declared_rights_read_as_they_were_declared(
    search: ElasticsearchSide, declared: list[dict[str, Any]]
) -> None:
    shares = [build_share(SearchAccessSpec.model_validate(spec)) for spec in declared]
    written = [RoleBody(share.cluster, share.entries) for share in shares]
    for sent, found in zip(written, await _write_and_read(search, written), strict=True):
        assert found.same_as(sent), (sent, found)
        in_place = sorted(sent.entries, key=lambda entry: place_of(entry.hash))
        assert [entry.hash for entry in found.entries] == [entry.hash for entry in in_place]


@MANY
@given(written=st.lists(bodies, min_size=20, max_size=30))
async def test_writing_what_was_read_changes_nothing(search: ElasticsearchSide, written: list[RoleBody]) -> None:
    found = await _write_and_read(search, written)
    roles = [Role(search.name(f"r{number}"), body, {"made_by": "contract"}) for number, body in enumerate(found)]
    assert (await search.port.put_roles(roles)).unchanged == {role.name for role in roles}


@MANY
@given(raws=st.lists(raw_roles, min_size=5, max_size=8))
async def test_the_double_serves_roles_of_others_as_the_real_server_does(
    search: ElasticsearchSide, raws: list[dict[str, Any]]
) -> None:
    if not isinstance(search, RealSide):
        return
    for number, raw in enumerate(raws):
        search.write_role(f"r{number}", raw)
    found = await search.some_roles(*[f"r{number}" for number in range(len(raws))])
    for number, raw in enumerate(raws):
        served = found[f"r{number}"]
        assert role_from_json(served) == role_from_json(served_role(raw)), (raw, served)
        assert canonical_json(served["metadata"]) == canonical_json(served_role(raw)["metadata"])
        assert set(served) == set(served_role(raw))


conditions = st.recursive(
    st.builds(lambda key, value: {"field": {key: value}}, st.sampled_from(["username", "groups", "realm.name"]), fields)
    | st.builds(lambda values: {"field": {"username": values}}, st.lists(fields, min_size=2, max_size=3)),
    lambda inner: st.builds(
        lambda kind, several: {kind: several}, st.sampled_from(["any", "all"]), st.lists(inner, min_size=1, max_size=3)
    ),
    max_leaves=5,
)
role_names = st.lists(st.sampled_from(["x", "y", "z"]), min_size=1, max_size=3, unique=True)
mappings = st.builds(
    lambda rules, roles, *, enabled: MappingBody(enabled=enabled, rules=canonical_json(rules), **roles),
    conditions,
    role_names.map(lambda found: {"roles": tuple(sorted(found))})
    | st.sampled_from(["a.{{username}}", "{{#metadata}}b{{/metadata}}"]).map(
        lambda source: {"templates": canonical_json([{"format": "string", "template": {"source": source}}])}
    ),
    enabled=st.booleans(),
)


@MANY
@given(body=mappings, metadata=st.dictionaries(st.text("abc", min_size=1, max_size=3), scalars, max_size=3))
async def test_a_mapping_reads_as_it_was_written(
    search: ElasticsearchSide, body: MappingBody, metadata: dict[str, Any]
) -> None:
    mapping = RoleMapping(search.name("m"), body, metadata)
    await search.port.put_mapping(mapping)
    raw = (await search.port.mappings([mapping.name]))[mapping.name]
    assert mapping_of(mapping.name, raw) == mapping
    assert read_mapping(served_mapping(mapping.to_json())) == read_mapping(raw)
