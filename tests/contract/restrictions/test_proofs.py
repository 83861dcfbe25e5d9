"""Whether a query can be run on indices, and which there are: in memory and for real, by a login that may see them."""

import json
from collections.abc import Callable

from searchaccess.core.policy.guardrails.aliases import Aliases
from searchaccess.core.policy.guardrails.verdicts import Guardrails, Question
from tests.contract.elasticsearch_sides import ElasticsearchSide, RealSide
from tests.stack.elasticsearch import ElasticsearchServer
from tests.unit.builders import a_grant, an_access
from tests.unit.policy.guardrails.test_verdicts import NOW, a_policy

TEXT = json.dumps({"term": {"price": "abc"}})
NUMBER = json.dumps({"bool": {"filter": [{"term": {"price": 3}}]}})


async def test_a_query_is_tried_on_each_index_and_the_one_on_which_it_fails_is_named(search: ElasticsearchSide) -> None:
    number, word = search.make_mapped("a", {"price": "long"}), search.make_mapped("b", {"price": "keyword"})
    search.let_see(f"{search.prefix}*")
    tried = await search.port.try_query([f"{search.prefix}*"], TEXT)
    assert (tried.shards, tried.failures) == (2, ((number, 'For input string: "abc"'),))
    assert await search.port.try_query([word], TEXT) == (await search.port.try_query([number], NUMBER))
    assert (await search.port.try_query([word, number], NUMBER)).failures == ()


async def test_where_no_index_is_open_nothing_is_tried(search: ElasticsearchSide) -> None:
    search.let_see(f"{search.prefix}*")
    for names in (f"{search.prefix}*", f"{search.prefix}missing"):
        assert (await search.port.try_query([names], TEXT)).shards == 0
    index = search.make_mapped("a", {"price": "long"})
    search.close_index(index)
    for names in (f"{search.prefix}*", index):
        assert await search.port.try_query([names], TEXT) == await search.port.try_query(["else*"], TEXT)


async def test_names_are_those_that_the_login_may_see(search: ElasticsearchSide) -> None:
    open_one, closed, other = (search.make_mapped(name, {}) for name in ("a.open", "a.closed", "b"))
    search.close_index(closed)
    search.let_see(f"{search.prefix}a*")
    names = await search.port.index_names()
    assert names is not None
    assert not any(name.startswith(search.prefix) for name, _ in names.behind)
    assert {open_one, closed} <= set(names.names)
    assert other not in names.names
    asked = [f"{search.prefix}a*", f"{search.prefix}a.open", f"{search.prefix}b*", "*"]
    assert await search.port.hidden(asked) == {f"{search.prefix}b*", "*"}


async def test_without_the_right_everything_is_hidden(search: ElasticsearchSide) -> None:
    search.make_mapped("a", {})
    assert await search.port.hidden([f"{search.prefix}*"]) == {f"{search.prefix}*"}
    names = await search.port.index_names()
    assert not [name for name in (names.names if names else ()) if name.startswith(search.prefix)]


async def test_data_streams_aliases_and_backing_indices_have_names_and_are_tried(
    login: ElasticsearchServer, unique: Callable[[str], str]
) -> None:
    side, stream, alias = RealSide("contract.", login), unique("contract-stream"), unique("contract-alias")
    with login.client() as admin:
        mappings = {"properties": {"price": {"type": "long"}}}
        template = {"index_patterns": [stream], "data_stream": {}, "priority": 500, "template": {"mappings": mappings}}
        admin.put(f"/_index_template/{stream}", json=template).raise_for_status()
        admin.post(f"/{stream}/_doc", json={"@timestamp": "2026-01-01", "price": 1}).raise_for_status()
        index = side.make_mapped(alias, {"price": "long"})
        actions = [{"add": {"index": index, "alias": alias}}]
        admin.post("/_aliases", json={"actions": actions}).raise_for_status()
        side.let_see(stream, f"{alias}*", f".ds-{stream}*")
        names = await side.port.index_names()
        assert names is not None
        assert {stream, alias} <= set(names.names)
        assert any(name.startswith(f".ds-{stream}") for name in names.names)
        assert (alias, (index,)) in names.behind
        assert stream not in dict(names.behind), "its own backing indices follow from its name"
        denies = a_policy(deny=[{"indices": [index]}])
        access = an_access(grants=[a_grant(alias)])
        assert not Guardrails([denies]).judge(Question(access, None, NOW)).refused, "by its name alone"
        assert Guardrails([denies]).judge(Question(access, None, NOW, Aliases(names))).refused
        for name in (stream, alias):
            tried = await side.port.try_query([name], TEXT)
            assert (tried.shards, len(tried.failures)) == (1, 1)
        admin.delete(f"/_data_stream/{stream}")
        admin.delete(f"/_index_template/{stream}")
        await side.close()
