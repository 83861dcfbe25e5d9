"""The roles that docs/clusters.md has for the operator's login, by tier; the tests use exactly these."""

import json
from typing import Any, Final

from searchaccess.api.clusters.tiers import Tier
from tests.support.operatorprocess import ROOT

_TEXT: Final = (ROOT / "docs" / "clusters.md").read_text()


def _blocks(tier: Tier) -> list[dict[str, Any]]:
    section = _TEXT.split(f"\n### {tier}\n")[1].split("\n### ")[0].split("\n## ")[0]
    return [json.loads(block.split("```")[0]) for block in section.split("```json")[1:]]


def documented_role(tier: Tier) -> dict[str, Any]:
    """Return the role of a tier."""
    return _blocks(tier)[0]


def documented_mapping() -> dict[str, Any]:
    """Return the role mapping that a person writes where the operator may not."""
    return _blocks(Tier.ROLES)[1]


def role_for_keys() -> dict[str, Any]:
    """Return the role of the largest tier with what keys need."""
    return _blocks(Tier.FULL)[1]


def roles_documented() -> int:
    """Count the objects in the section, to find out about those that nobody tests."""
    section = _TEXT.split("## Which role it needs")[1].split("\n## ")[0]
    return section.count("```json")
