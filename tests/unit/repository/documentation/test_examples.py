"""Every manifest that people are shown is one that is taken."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from searchaccess.core.clusters.cluster import cluster_from_object
from searchaccess.core.model.parsing import access_from_object
from searchaccess.core.policy.consent.approval import approval_from_object
from searchaccess.core.policy.guardrails.policy import policy_from_object

ROOT = Path(__file__).parents[4]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


READERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "SearchAccess": access_from_object,
    "SearchCluster": cluster_from_object,
    "SearchAccessPolicy": policy_from_object,
    "SearchAccessApproval": approval_from_object,
}


def manifests() -> list[Any]:
    texts = [
        (path, path.read_text())
        for path in sorted([*ROOT.glob("examples/*.yaml"), *ROOT.glob("examples/policies/*.yaml")])
    ]
    texts += [
        (page, block) for page in PAGES for block in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)
    ]
    found = [(path, raw) for path, text in texts for raw in yaml.safe_load_all(text) if isinstance(raw, dict)]
    ours = [(path, raw) for path, raw in found if str(raw.get("apiVersion", "")).startswith("searchaccess.dev/")]
    return [pytest.param(raw, id=f"{path.name}: {raw['kind']} {raw['metadata']['name']}") for path, raw in ours]


@pytest.mark.parametrize("raw", manifests())
def test_it_is_taken(raw: dict[str, Any]) -> None:
    raw["metadata"] = {"namespace": "shop", "uid": "uid"} | raw["metadata"]
    assert READERS[raw["kind"]](raw).invalid == ""


def test_some_are_found() -> None:
    names = {str(item.id).split(":")[0] for item in manifests()}
    assert {"legacy.yaml", "orders.yaml", "cluster.yaml", "credentials.md", "policies.md"} <= names
