"""The admission policies for approvals, as the chart installs them."""

from searchaccess.api.vouching import vouching_objects
from tests.chart.helm import Helm

KINDS = {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}


def test_the_chart_installs_what_the_operator_compares_with_and_only_if_asked(tool: Helm) -> None:
    expected = {(raw["kind"], raw["metadata"]["name"]): raw["spec"] for raw in vouching_objects().values()}
    objects = tool.render({"approvals": {"enabled": True}})
    found = {(raw["kind"], raw["metadata"]["name"]): raw["spec"] for raw in objects if raw["kind"] in KINDS}
    assert {key: spec for key, spec in found.items() if key in expected} == expected
    assert not [raw for raw in tool.render({}) if (raw["kind"], raw["metadata"]["name"]) in expected]
