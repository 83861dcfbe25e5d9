"""What the operator renders for the gateway."""

import json
import pickle
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.gateway.render import loaded_version, render, render_bootstrap, render_login
from searchaccess.core.gateway.render.conditions import ACCOUNT, any_of, literally, person
from searchaccess.core.gateway.render.filters.limits import classes
from searchaccess.core.gateway.render.logs import FIELDS
from searchaccess.core.gateway.settings import ApiGroup, CallerLimits, Rate, Upstream
from tests.support.runs.effort import examples
from tests.unit.gateway.cases import CASES, GOLDEN, MEGABYTE, files

_SMALL = CASES["small"]
_TEXTS = st.text(max_size=60) | st.sampled_from(
    ['"', "'", "\n", "\u2028", "\x85", "%", "{x}", "\\", "\U0001f600", ": #"]
)
_LATIN = st.text(st.characters(max_codepoint=0xFF), min_size=1, max_size=30)


def _manager(listeners: str) -> dict[str, Any]:
    (listener,) = json.loads(listeners)["resources"]
    manager: dict[str, Any] = listener["filter_chains"][0]["filters"][0]["typed_config"]
    return manager


def _filter(listeners: str, name: str) -> dict[str, Any]:
    (found,) = [one["typed_config"] for one in _manager(listeners)["http_filters"] if one["name"] == name]
    assert isinstance(found, dict)
    return found


def _names(listeners: str) -> list[str]:
    return [one["name"].rpartition(".")[2] for one in _manager(listeners)["http_filters"]]


@pytest.mark.parametrize("name", sorted(files()))
def test_each_file_is_as_it_was_reviewed(name: str) -> None:
    assert (GOLDEN / name).read_text() == files()[name], "review it, then: python -m tests.unit.gateway.cases"


def test_no_file_is_left_over() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == set(files())


@given(texts=st.lists(_TEXTS, min_size=6, max_size=6))
@settings(max_examples=examples(60))
def test_no_text_of_the_settings_breaks_out_of_its_place(texts: list[str]) -> None:
    prefix, audience, issuer, ca, caller, pattern = texts
    own = replace(
        _SMALL,
        role_prefix=prefix,
        audience=audience,
        issuer=issuer,
        ca=ca,
        callers={caller: CallerLimits(1)},
        iap_audience="/x",
        people=(pattern,),
    )
    rendered = render(own)
    for text in (rendered.listeners, rendered.clusters):
        assert yaml.load(text, Loader=yaml.CSafeLoader) == json.loads(text)
        assert _shape(json.loads(text), set()) <= _SHAPES
    (header,) = _manager(rendered.listeners)["route_config"]["request_headers_to_add"]
    value = header["header"]["value"]
    assert value.startswith(_clean(prefix).replace("%", "%%"))
    assert value.endswith("%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:jwt:email)%")
    assert _filter(rendered.listeners, "envoy.filters.http.jwt_authn")["providers"]["token"]["issuer"] == _clean(issuer)


def _clean(text: str) -> str:
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def _shape(value: Any, found: set[str]) -> set[str]:
    """All names of fields."""
    if isinstance(value, dict):
        for name, part in value.items():
            found.add(name)
            _shape(part, found)
    elif isinstance(value, list):
        for part in value:
            _shape(part, found)
    return found


_SHAPES = {
    name
    for own in CASES.values()
    for text in (render(own).listeners, render(own).clusters)
    for name in _shape(json.loads(text), set())
}


@given(text=_LATIN, other=_LATIN)
@example(text="a.b", other="a-b")
@settings(max_examples=examples(300))
def test_a_text_as_an_expression_matches_itself_alone(text: str, other: str) -> None:
    assert re.fullmatch(literally(text), text)
    assert bool(re.fullmatch(literally(text), other)) == (text == other)
    assert bool(re.fullmatch(any_of([text, "x"]), other)) == (other in {text, "x"})


@given(name=st.text(st.characters(max_codepoint=0xFF), max_size=20))
@settings(max_examples=examples(300))
def test_a_pattern_of_people_stays_within_its_domain(name: str) -> None:
    expression = person("*@example.com")
    assert not re.fullmatch(expression, f"{name}@example.com.evil.com")
    assert not re.fullmatch(expression, f"{name}@exampleXcom")
    if set(name) & set("@\n\r/* ,"):
        assert not re.fullmatch(expression, f"{name}@example.com")


@pytest.mark.parametrize(
    ("email", "taken"),
    [("jane.doe@example.com", True), ("x@y@example.com", False), ("jane@example.com\n", False), ("@example.com", True)],
)
def test_people_by_pattern(email: str, *, taken: bool) -> None:
    assert bool(re.fullmatch(person("*@example.com"), email)) == taken


@pytest.mark.parametrize(
    ("email", "taken"),
    [
        ("orders@acme-shop.iam.gserviceaccount.com", True),
        ("123-compute@developer.gserviceaccount.com", True),
        ("acme@appspot.gserviceaccount.com", True),
        ("x@gserviceaccount.com", False),
        ("x@evilgserviceaccount.com", False),
        ("x@iam.gserviceaccount.com.evil.com", False),
    ],
)
def test_accounts_by_their_form(email: str, *, taken: bool) -> None:
    assert bool(re.fullmatch(ACCOUNT, email)) == taken


def test_the_version_is_that_of_both_files_and_changes_with_each() -> None:
    rendered = render(_SMALL)
    for text in (rendered.listeners, rendered.clusters):
        assert json.loads(text)["version_info"] == rendered.version
    others = [
        replace(_SMALL, audience="https://other.example.com"),
        replace(_SMALL, upstreams=(Upstream("elasticsearch.elastic.svc", 9201),)),
        replace(_SMALL, replicas=2, limits=CallerLimits(1)),
    ]
    assert len({rendered.version, *(render(other).version for other in others)}) == 4
    assert render(_SMALL) == rendered


def test_the_order_of_callers_and_addresses_does_not_matter() -> None:
    own = CASES["limited"]
    turned = replace(
        own,
        callers=dict(reversed(list(own.callers.items()))),
        upstreams=tuple(reversed(own.upstreams)),
        people=tuple(reversed(own.people)),
    )
    assert render(turned) == render(own)


def test_the_filters_are_in_the_order_that_matters() -> None:
    assert _names(render(CASES["limited"]).listeners) == [
        "strip",
        "jwt_authn",
        "who",
        "strip-late",
        "rules",
        "repeat",
        "groups",
        "rates",
        "local_ratelimit",
        "body",
        "body_size_limit",
        "credential_injector",
        "router",
    ]
    assert "local_ratelimit" not in _names(render(_SMALL).listeners)


def test_rates_are_divided_by_the_replicas_and_rounded_up() -> None:
    rates = _filter(render(CASES["limited"]).listeners, "envoy.filters.http.local_ratelimit")["descriptors"]
    assert [one["entries"][1] for one in rates] == [{"key": "principal"}] * 2
    assert {one["entries"][0]["value"]: one["token_bucket"] for one in rates} == {
        "5/10": {"max_tokens": 4, "tokens_per_fill": 2, "fill_interval": "1s"},
        "default": {"max_tokens": 34, "tokens_per_fill": 17, "fill_interval": "1s"},
    }


def test_a_caller_without_a_rate_does_not_have_the_default() -> None:
    policies = _filter(render(CASES["limited"]).listeners, "rates")["shadow_rules"]["policies"]
    assert [name for name, rules in policies.items() if "batch@" in json.dumps(rules)] == ["any"]
    assert [name for name, rules in policies.items() if "(app|web)@" in json.dumps(rules)] == ["5/10"]
    assert set(policies) == {"5/10", "any"}


def test_callers_with_equal_limits_share_a_route() -> None:
    found = classes(CASES["limited"])
    assert [tuple(email.partition("@")[0] for email in one.callers) for one in found] == [
        ("app", "web"),
        ("batch",),
        (),
    ]
    assert len(_manager(render(CASES["limited"]).listeners)["route_config"]["virtual_hosts"][0]["routes"]) == 3


def test_ten_thousand_callers_are_some_routes_and_take_a_few_dozen_bytes_each() -> None:
    own = CallerLimits(MEGABYTE, Rate(5, 10), frozenset({ApiGroup.SEARCH}))
    callers = {f"reader-{n}@acme-shop-{n % 100}.iam.gserviceaccount.com": own for n in range(10_000)}
    text = render(replace(_SMALL, callers=callers)).listeners
    assert len(_manager(text)["route_config"]["virtual_hosts"][0]["routes"]) == 21
    assert len(text) / len(callers) < 50


@given(
    emails=st.sets(st.from_regex(r"[a-z]{1,3}@[ab]([.]iam)?[.][cd][.]com", fullmatch=True), min_size=1, max_size=12),
    other=st.from_regex(r"[a-z]{1,3}@[ab]([.]iam)?[.][cd][.]com", fullmatch=True),
)
@settings(max_examples=examples(200))
def test_many_addresses_as_an_expression_match_themselves_alone(emails: set[str], other: str) -> None:
    expression = any_of(emails)
    assert all(re.fullmatch(expression, email) for email in emails)
    assert bool(re.fullmatch(expression, other)) == (other in emails)


def test_without_the_proxy_its_assertion_is_only_removed() -> None:
    text = render(_SMALL).listeners
    assert list(_filter(text, "envoy.filters.http.jwt_authn")["providers"]) == ["token"]
    assert "x-goog-" in json.dumps(_filter(text, "strip-late"))


def test_the_login_is_sealed() -> None:
    file = render_login('a"b', Sealed("p\nw"))
    assert "…" in str(file)
    with pytest.raises(TypeError):
        pickle.dumps(file)
    (secret,) = json.loads(file.reveal())["resources"]
    assert secret["generic_secret"]["secret"]["inline_string"] == "Basic YSJiOnAKdw=="


def test_the_settings_contain_no_secret() -> None:
    rendered = render(CASES["limited"])
    assert "Basic" not in rendered.listeners + rendered.clusters + render_bootstrap()


_LOADED = """cluster_manager.cds.version_text: "{cds}"
cluster_manager.warming_clusters: {clusters}
listener_manager.lds.version_text: "{lds}"
listener_manager.total_listeners_warming: {listeners}
"""


@pytest.mark.parametrize(
    ("cds", "lds", "clusters", "listeners", "loaded"),
    [
        ("a1", "a1", 0, 0, "a1"),
        ("a1", "b2", 0, 0, ""),
        ("a1", "a1", 1, 0, ""),
        ("a1", "a1", 0, 1, ""),
        ("", "", 0, 0, ""),
    ],
)
def test_a_version_is_loaded_once_both_files_are_and_nothing_is_prepared(
    cds: str, lds: str, clusters: int, listeners: int, loaded: str
) -> None:
    assert loaded_version(_LOADED.format(cds=cds, lds=lds, clusters=clusters, listeners=listeners)) == loaded


@pytest.mark.parametrize("answer", ["", "<html>", "x: 1\n", 'listener_manager.lds.version_text: "a"\n'])
def test_no_version_is_loaded_if_the_answer_is_another(answer: str) -> None:
    assert loaded_version(answer) == ""


def test_each_field_of_the_log_is_documented_with_its_length() -> None:
    page = (Path(__file__).parents[3] / "docs" / "gateway-log.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", page, re.MULTILINE))
    assert set(rows) == {*FIELDS, "version"}
    for name, command in FIELDS.items():
        if length := re.search(r":(\d+)%$", command):
            assert f"({length[1]})" in rows[name], name


def test_each_rule_that_refuses_is_documented() -> None:
    page = (Path(__file__).parents[3] / "docs" / "gateway.md").read_text()
    text = render(CASES["limited"]).listeners
    for rule in ("method", "path", "security-api", "api-other"):
        assert f'"{rule}": {{' in text
        assert f"[{rule}]" in page
    for kind in set(re.findall(r"gateway_\w+_exception|gateway_exception", text)):
        assert f"`{kind}`" in page, kind


def test_a_rate_of_one_is_one_for_each_replica() -> None:
    own = replace(_SMALL, replicas=9, limits=CallerLimits(1, Rate(1, 1)))
    (bucket,) = _filter(render(own).listeners, "envoy.filters.http.local_ratelimit")["descriptors"]
    assert bucket["entries"][0] == {"key": "rate", "value": "default"}
    assert bucket["token_bucket"] == {"max_tokens": 1, "tokens_per_fill": 1, "fill_interval": "1s"}
