"""The recipes for other proxies have the rules that the operator renders: docs/gateway-recipes.md."""

import json
import re
from typing import Any, Final

import pytest
import yaml

from searchaccess.core.gateway.login import run_as_patterns
from searchaccess.core.gateway.render import render
from searchaccess.core.gateway.render.conditions import ACCOUNT
from searchaccess.core.gateway.render.filters.rules import METHODS, ODD, SECURITY, SELF, security_rules
from searchaccess.core.gateway.render.listener import CONTROLS, LATE_CONTROLS
from tests.support.operatorprocess import ROOT
from tests.unit.gateway.cases import CASES

PAGE: Final = (ROOT / "docs" / "gateway-recipes.md").read_text()
OBJECTS: Final[list[dict[str, Any]]] = [
    raw for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) for raw in yaml.safe_load_all(block)
]


def spec_of(kind: str) -> dict[str, Any]:
    [found] = [raw["spec"] for raw in OBJECTS if raw["kind"] == kind]
    return dict(found)


PATCHES: Final[list[dict[str, Any]]] = [each["patch"] for each in spec_of("EnvoyFilter")["configPatches"]]
FILTERS: Final = {each["value"]["name"]: each for each in PATCHES if "name" in each["value"]}
RENDERED: Final = json.loads(render(CASES["small"]).listeners)["resources"][0]
MANAGER: Final = RENDERED["filter_chains"][0]["filters"][0]["typed_config"]
AUTHORIZATION: Final = {each["name"]: each["cel"] for each in spec_of("SecurityPolicy")["authorization"]["rules"]}


def removed(name: str) -> set[str]:
    """Return what a filter of the recipe for Istio removes."""
    mutations = FILTERS[name]["value"]["typed_config"]["mutations"]["request_mutations"]
    assert all(each["remove_on_match"]["key_matcher"]["ignore_case"] for each in mutations)
    return {each["remove_on_match"]["key_matcher"]["prefix"] for each in mutations}


def test_istio_removes_the_same_headers_at_the_same_time() -> None:
    # The one that jwt_authn sets with the address of the caller is none of theirs either.
    assert removed("strip") == {*CONTROLS, "x-searchaccess-"}
    assert removed("strip-late") == set(LATE_CONTROLS)
    assert FILTERS["strip"]["operation"] == "INSERT_FIRST"
    assert FILTERS["strip-late"]["operation"] == FILTERS["rules"]["operation"] == "INSERT_BEFORE"


def test_istio_refuses_the_same_methods_and_paths() -> None:
    assert FILTERS["rules"]["value"]["typed_config"]["rules"] == security_rules()


def test_istio_does_not_normalize_paths() -> None:
    [settings] = [each["value"]["typed_config"] for each in PATCHES if "name" not in each["value"]]
    assert settings.pop("@type") == MANAGER["@type"]
    options = settings.pop("common_http_protocol_options")
    assert options.items() <= MANAGER["common_http_protocol_options"].items()
    assert {"normalize_path", "merge_slashes", "path_with_escaped_slashes_action"} == set(settings)
    assert settings.items() <= MANAGER.items()


def test_envoy_gateway_removes_the_same_headers() -> None:
    headers = spec_of("ClientTrafficPolicy")["headers"]
    matches = headers["earlyRequestHeaders"]["removeOnMatch"]
    assert {each["type"] for each in matches} == {"Prefix"}
    assert {each["value"] for each in matches} == {*CONTROLS, *LATE_CONTROLS}
    assert headers["withUnderscoresAction"] == "RejectRequest"


@pytest.mark.parametrize(
    "condition",
    [
        f"!request.method.matches('^({METHODS})$')",
        f"|| request.url_path.matches('^{ODD}$')",
        "|| request.url_path.contains('//')",
        f"|| (request.url_path.matches('^{SECURITY}$') && !request.url_path.matches('^{SELF}$'))",
    ],
)
def test_envoy_gateway_refuses_the_same_methods_and_paths(condition: str) -> None:
    assert condition in AUTHORIZATION["refused-requests"]
    assert AUTHORIZATION["refused-requests"].count("||") == 3


def test_envoy_gateway_lets_in_service_accounts_with_a_verified_address_and_our_audience_alone() -> None:
    name = "metadata.filter_metadata['envoy.filters.http.jwt_authn']['google']"
    email = ACCOUNT.replace(r"\.", "[.]")
    [provider] = spec_of("SecurityPolicy")["jwt"]["providers"]
    assert AUTHORIZATION["service-accounts"].split(" && ") == [
        f"{name}['email_verified'] == true",
        f"{name}['aud'] == '{provider['audiences'][0]}'",
        f"{name}['email'] .matches('^{email}$')",
    ]
    assert spec_of("SecurityPolicy")["authorization"]["defaultAction"] == "Deny"


def test_both_run_as_nobody_but_callers_and_open_as_few_connections() -> None:
    [login] = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
    assert login == {"run_as": run_as_patterns("prod")}
    [_, elasticsearch] = sorted(json.loads(render(CASES["small"]).clusters)["resources"], key=lambda one: one["name"])[
        ::-1
    ]
    [thresholds] = elasticsearch["circuit_breakers"]["thresholds"]
    most = thresholds["max_connections"]
    assert spec_of("BackendTrafficPolicy")["circuitBreaker"]["maxConnections"] == most
    assert spec_of("DestinationRule")["trafficPolicy"]["connectionPool"]["tcp"]["maxConnections"] == most
