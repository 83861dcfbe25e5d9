"""What the loop relies on from Elasticsearch: in memory and for real."""

import json
from dataclasses import replace
from typing import Any

import pytest

from searchaccess.api.searchcluster import ClientAuthentication, PrincipalClaim
from searchaccess.core.clusters.cluster import License
from searchaccess.core.model.canonical import MappingBody, RoleBody, canonical_json, role_from_json
from searchaccess.core.policy.login import LoginRights
from searchaccess.core.rights.mapping import RoleMapping, build_template_mapping, mapping_of
from searchaccess.core.rights.ownership import Operator, Role
from searchaccess.ports.errors import Rejected
from tests.contract.elasticsearch_sides import ElasticsearchSide, an_entry
from tests.support.worlds.world import OPERATOR_USER

# Facts


async def test_facts_of_a_cluster_whose_realm_is_right(search: ElasticsearchSide) -> None:
    facts = await search.port.facts(search.realm)
    assert facts.version == search.version
    assert len(facts.uuid) > 8
    assert facts.license == "trial"
    assert facts.mismatches == ()


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"audience": "https://else.example.com"}, "allowed_audiences: [https://else.example.com]"),
        ({"issuer": "https://else.example.com"}, "allowed_issuer: https://else.example.com"),
        ({"clients": ClientAuthentication.SHARED_SECRET}, "client_authentication.type: shared_secret"),
    ],
    ids=["audience", "issuer", "client secret"],
)
async def test_facts_name_the_line_that_is_wrong(search: ElasticsearchSide, wrong: dict[str, Any], line: str) -> None:
    realm = replace(search.realm, **wrong)
    mismatches = (await search.port.facts(realm)).mismatches
    assert mismatches is not None
    assert [mismatch.line for mismatch in mismatches] == [f"xpack.security.authc.realms.jwt.{realm.name}.{line}"]


async def test_facts_name_every_line_of_a_realm_that_is_not_there(search: ElasticsearchSide) -> None:
    mismatches = (await search.port.facts(replace(search.realm, name="unheard-of"))).mismatches
    assert mismatches is not None
    assert {mismatch.have for mismatch in mismatches} == {"no such realm"}
    assert mismatches[0].line == "xpack.security.authc.realms.jwt.unheard-of.order: 1"
    assert len(mismatches) == 7


async def test_the_license_is_that_of_the_facts(search: ElasticsearchSide) -> None:
    facts = await search.port.facts(search.realm)
    assert await search.port.read_license() == License(facts.license, facts.license_ends)


# The fingerprint


async def test_a_fingerprint_stays_the_same_where_nothing_changes(search: ElasticsearchSide) -> None:
    # A server that was just started still makes indices of its own.
    for _ in range(100):
        before = await search.port.fingerprint()
        await search.port.roles(None)
        await search.port.mappings(None)
        await search.port.facts(search.realm)
        if before == await search.port.fingerprint():
            break
    else:
        pytest.fail("it never stood still")
    assert before is not None
    assert len(before.nodes) == 1


async def test_a_fingerprint_shows_a_change_of_the_state_and_that_no_node_was_started(
    search: ElasticsearchSide,
) -> None:
    before = await search.port.fingerprint()
    search.make_index("a")
    after = await search.port.fingerprint()
    assert before is not None
    assert after is not None
    assert before.state != after.state
    assert before.nodes == after.nodes


# Reading


async def test_missing_names_are_left_out(search: ElasticsearchSide) -> None:
    await search.port.put_roles([search.role("a")])
    assert set(await search.some_roles("a", "missing")) == {"a"}
    assert await search.some_roles("missing") == {}
    assert await search.port.mappings([search.name("missing")]) == {}


async def test_all_are_read_when_no_names_are_given(search: ElasticsearchSide) -> None:
    await search.port.put_roles([search.role("a"), search.role("b")])
    search.write_mapping("m", {"enabled": True, "roles": ["x"], "rules": {"field": {"username": "x"}}})
    assert {search.name("a"), search.name("b")} <= set(await search.port.roles(None))
    assert search.name("m") in await search.port.mappings(None)
    assert set(await search.port.mappings([search.name("m"), search.name("n")])) == {search.name("m")}


async def test_what_was_written_is_read_at_once(search: ElasticsearchSide) -> None:
    for privilege in ("read", "write", "monitor"):
        role = search.role("a", an_entry(privileges=[privilege]))
        await search.port.put_roles([role])
        assert role_from_json((await search.some_roles("a"))["a"]).same_as(role.body)


# Writing roles


async def test_each_role_is_created_changed_or_left_as_it_is(search: ElasticsearchSide) -> None:
    first = await search.port.put_roles([search.role("a"), search.role("b")])
    assert first.changed == {search.name("a"), search.name("b")}
    second = await search.port.put_roles([search.role("a"), search.role("b", an_entry("x")), search.role("c")])
    assert second.changed == {search.name("b"), search.name("c")}
    assert second.unchanged == {search.name("a")}
    assert not first.refused
    assert not second.refused


async def test_a_bulk_write_keeps_keys_of_the_metadata_that_it_does_not_name(search: ElasticsearchSide) -> None:
    search.write_role("a", {"metadata": {"old": 1, "both": {"x": 1, "y": 1}, "list": [1]}, "run_as": ["somebody"]})
    await search.port.put_roles([search.role("a", metadata={"new": 2, "both": {"x": 2}, "list": [2]})])
    found = (await search.some_roles("a"))["a"]
    assert found["metadata"] == {"old": 1, "new": 2, "both": {"x": 2, "y": 1}, "list": [2]}
    assert found["run_as"] == []
    again = await search.port.put_roles([search.role("a", metadata={"new": 2})])
    assert again.unchanged == {search.name("a")}


async def test_replacing_keeps_nothing(search: ElasticsearchSide) -> None:
    search.write_role("a", {"metadata": {"old": 1}, "description": "old", "run_as": ["somebody"]})
    written = await search.port.replace_roles([search.role("a", metadata={"new": 2}), search.role("b")])
    assert written.changed == {search.name("a"), search.name("b")}
    found = (await search.some_roles("a"))["a"]
    assert found["metadata"] == {"new": 2}
    assert found["run_as"] == []
    assert "description" not in found


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("an unknown index privilege", {"entries": (an_entry(privileges=["nonsense"]),)}),
    ("a privilege named twice", {"entries": (an_entry(privileges=["read", "read"]),)}),
    ("no privileges", {"entries": (an_entry(privileges=[]),)}),
    ("no index names", {"entries": (replace(an_entry(), names=()),)}),
    ("an unknown query", {"entries": (an_entry(query='{"nonsense":{}}'),)}),
    ("a query that is not JSON", {"entries": (an_entry(query="nonsense"),)}),
    ("a query of two", {"entries": (an_entry(query='{"match_all":{},"term":{"a":1}}'),)}),
    ("an excluded field that is not included", {"entries": (an_entry(include=("a", "b"), exclude=("c",)),)}),
    ("an unknown part of an entry", {"entries": (an_entry(other='{"nonsense":1}'),)}),
    ("an unknown cluster privilege", {"cluster": ("nonsense",)}),
    ("too long a description", {"description": "x" * 1001}),
]


@pytest.mark.parametrize("body", [pytest.param(body, id=text) for text, body in REFUSED])
async def test_a_refused_role_fails_alone(search: ElasticsearchSide, body: dict[str, Any]) -> None:
    bad = Role(search.name("bad"), RoleBody(**body), {})
    good = [search.role(f"good{number}") for number in range(4)]
    before = await search.position()
    written = await search.port.put_roles([*good[:2], bad, *good[2:]])
    assert written.changed == {role.name for role in good}
    assert list(written.refused) == [bad.name]
    assert isinstance(written.refused[bad.name], Rejected)
    assert set(await search.some_roles("bad", "good0", "good3")) == {"good0", "good3"}
    assert await search.position() == before + len(written.changed)


@pytest.mark.parametrize("body", [pytest.param(body, id=text) for text, body in REFUSED])
async def test_a_refused_role_is_refused_alone_too_when_it_replaces(
    search: ElasticsearchSide, body: dict[str, Any]
) -> None:
    bad = Role(search.name("bad"), RoleBody(**body), {})
    written = await search.port.replace_roles([search.role("good"), bad])
    assert written.changed == {search.name("good")}
    assert isinstance(written.refused[bad.name], Rejected)


async def test_reserved_and_overlong_names_and_reserved_metadata_are_refused(search: ElasticsearchSide) -> None:
    roles = [
        Role("superuser", RoleBody(), {}),
        Role(search.name("x" * 508), RoleBody(), {}),
        search.role("a", metadata={"_reserved": 1}),
    ]
    written = await search.port.put_roles([*roles, search.role("good")])
    assert set(written.refused) == {role.name for role in roles}
    assert written.changed == {search.name("good")}


async def test_a_message_says_what_is_wrong_and_nothing_of_the_request(search: ElasticsearchSide) -> None:
    bad = search.role("bad", an_entry(privileges=["nonsense"]))
    message = (await search.port.put_roles([bad])).refused[bad.name].message
    assert "unknown index privilege [nonsense]" in message
    assert "Authorization" not in message


async def test_a_thousand_roles_fit_into_one_write(search: ElasticsearchSide) -> None:
    roles = [search.role(f"r{number}") for number in range(1000)]
    assert len((await search.port.put_roles(roles)).changed) == 1000
    assert len((await search.port.delete_roles([role.name for role in roles])).changed) == 1000


# Deleting roles


async def test_deleting_reports_what_was_there(search: ElasticsearchSide) -> None:
    await search.port.put_roles([search.role("a")])
    written = await search.port.delete_roles([search.name("a"), search.name("missing"), "superuser"])
    assert written.changed == {search.name("a")}
    assert written.unchanged == {search.name("missing")}
    assert isinstance(written.refused["superuser"], Rejected)
    assert await search.some_roles("a") == {}


# Role mappings


def _mapping(search: ElasticsearchSide, name: str, *, enabled: bool = True) -> RoleMapping:
    rules = canonical_json({"all": [{"field": {"username": "a"}}, {"except": {"field": {"groups": ["b", "c"]}}}]})
    return RoleMapping(search.name(name), MappingBody(enabled=enabled, rules=rules, roles=("x", "y")), {"a": {"b": 1}})


async def test_a_mapping_is_read_as_it_was_written(search: ElasticsearchSide) -> None:
    operator = Operator(search.name("instance"), "controller")
    template = build_template_mapping(operator, "google", PrincipalClaim.EMAIL)
    template = replace(template, name=search.name("template"))
    for mapping in (_mapping(search, "m"), _mapping(search, "m", enabled=False), template):
        await search.port.put_mapping(mapping)
        found = await search.port.mappings([mapping.name])
        assert mapping_of(mapping.name, found[mapping.name]) == mapping


async def test_a_deleted_mapping_is_gone_and_a_missing_one_is_fine(search: ElasticsearchSide) -> None:
    await search.port.put_mapping(_mapping(search, "m"))
    await search.port.delete_mapping(search.name("m"))
    await search.port.delete_mapping(search.name("m"))
    assert await search.port.mappings([search.name("m")]) == {}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(MappingBody(enabled=True, rules='{"field":{"username":"x"}}'), id="no roles"),
        pytest.param(MappingBody(enabled=True, rules="{}", roles=("x",)), id="no rules"),
        pytest.param(MappingBody(enabled=True, rules='{"nonsense":[]}', roles=("x",)), id="an unknown rule"),
    ],
)
async def test_a_mapping_that_makes_no_sense_is_rejected(search: ElasticsearchSide, body: MappingBody) -> None:
    with pytest.raises(Rejected):
        await search.port.put_mapping(RoleMapping(search.name("bad"), body, {}))


# The probe: the loop expects exactly as many steps as it counts itself


async def test_reading_does_not_move_the_probe(search: ElasticsearchSide) -> None:
    await search.port.put_roles([search.role("a")])
    before = await search.port.probe()
    await search.port.roles(None)
    await search.port.mappings(None)
    await search.port.facts(search.realm)
    assert await search.port.probe() == before


async def test_roles_move_the_probe_by_one_for_each_that_changed(search: ElasticsearchSide) -> None:
    batches = [
        [search.role("a"), search.role("b"), search.role("c")],
        [search.role("a"), search.role("b"), search.role("c")],
        [search.role("a", an_entry("x")), search.role("b"), search.role("d")],
        [search.role("a", an_entry(privileges=["nonsense"])), search.role("b", an_entry("y"))],
        [search.role("a", an_entry(include=("a",), exclude=("b",))), search.role("b"), search.role("c", an_entry("z"))],
    ]
    for batch in batches:
        before = await search.position()
        written = await search.port.put_roles(batch)
        assert await search.position() == before + len(written.changed)


async def test_replaced_roles_move_the_probe_and_count_as_changed_even_when_identical(
    search: ElasticsearchSide,
) -> None:
    for _ in range(2):
        before = await search.position()
        written = await search.port.replace_roles([search.role("a"), search.role("b")])
        assert len(written.changed) == 2
        assert await search.position() == before + 2


async def test_deleted_roles_move_the_probe_by_one_each(search: ElasticsearchSide) -> None:
    await search.port.put_roles([search.role("a"), search.role("b")])
    before = await search.position()
    written = await search.port.delete_roles([search.name("a"), search.name("b")])
    assert await search.position() == before + len(written.changed)


async def test_deleting_a_missing_role_moves_the_probe_uncounted(search: ElasticsearchSide) -> None:
    """One read too many, where somebody was quicker than we: never one too few."""
    before = await search.position()
    written = await search.port.delete_roles([search.name("missing")])
    assert not written.changed
    assert await search.position() == before + 1


async def test_each_write_of_a_mapping_moves_the_probe_by_one(search: ElasticsearchSide) -> None:
    mapping = _mapping(search, "m")
    writes = [search.port.put_mapping(mapping) for _ in range(2)]
    writes += [search.port.delete_mapping(mapping.name) for _ in range(2)]
    for write in writes:
        before = await search.position()
        await write
        assert await search.position() == before + 1


async def test_what_others_write_moves_the_probe(search: ElasticsearchSide) -> None:
    raw = json.loads('{"indices": [{"names": ["a"], "privileges": ["read"]}]}')
    for _ in range(2):
        before = await search.position()
        search.write_role("a", raw)
        assert await search.position() == before + 1


async def test_the_index_behind_the_probe_stays_the_same(search: ElasticsearchSide) -> None:
    first = await search.port.probe()
    await search.port.put_roles([search.role("a")])
    second = await search.port.probe()
    assert first is not None
    assert second is not None
    assert first.index_uuid == second.index_uuid
    assert first.index_uuid


async def test_a_login_that_manages_security_says_so(search: ElasticsearchSide) -> None:
    assert await search.port.login_rights() == LoginRights(OPERATOR_USER, manages=True, keys=True)
