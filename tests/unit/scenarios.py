"""Worlds in which something happened."""

from typing import Any

from searchaccess.core.model.access import Access
from searchaccess.core.policy.decision import AccessDecision, Do
from searchaccess.core.rights.compose import Member
from searchaccess.core.rights.recollection import Seen
from tests.unit.builders import NOW, ROLE, a_grant, an_access, an_entry
from tests.unit.world import World


def reader(name: str = "reader", **more: Any) -> Access:
    return an_access(name, **({"grants": [a_grant(f"{name}-*")]} | more))


def writer(name: str = "writer", **more: Any) -> Access:
    return an_access(name, **({"grants": [a_grant(f"{name}-*", can=["write"])]} | more))


def applied(*accesses: Access) -> tuple[World, dict[str, Seen]]:
    """Return the world after a pass over enforced accesses, and what their statuses say."""
    world = World()
    world.run([Member(access, AccessDecision(Do.ENFORCE)) for access in accesses])
    return world, {access.uid: Seen(ROLE, access.share.hash) for access in accesses}


def entry_of(world: World, prefix: str) -> dict[str, Any]:
    assert world.raw is not None
    found: dict[str, Any] = next(entry for entry in world.raw["indices"] if entry["names"][0].startswith(prefix))
    return found


def remove(world: World, prefix: str) -> None:
    assert world.raw is not None
    world.raw["indices"].remove(entry_of(world, prefix))


def add(world: World, *names: str) -> None:
    assert world.raw is not None
    world.raw["indices"].append(an_entry(*names, privileges=["all"]))


def gone(name: str, policy: str, **more: Any) -> Access:
    return reader(name, deleted_at=NOW, deletionPolicy=policy, **more)
