"""Keys, users and secrets of a former life: reported, and ended where the new life has its own."""

from typing import Any, Final

from searchaccess.core.rights.ownership import Operator
from tests.component.credentials.common import STORES, begin, with_key, with_password
from tests.support.stage import Stage, on_stage, search_cluster
from tests.support.world import condition_in

FORMER: Final = Operator("default", "uid-of-the-former-kube-system")


async def live_before(stage: Stage, *objects: dict[str, Any]) -> None:
    """Have a former life of the operator issue credentials into the stage's Elasticsearch and stores."""
    former = Stage(operator=FORMER)
    former.stores = stage.stores
    former.start()
    former.spared |= {stage.process.task} if stage.process else set()
    former.apply(search_cluster(secretStores=STORES), *objects)
    await former.quiet()
    left, here = former.elasticsearch, stage.elasticsearch
    here.keys_now |= left.keys_now
    here.users_now |= left.users_now
    here.made_users += left.made_users
    for name, raw in left.roles_now.items():
        here.write_role(name, raw)


def others(stage: Stage) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stage.cluster()["status"].get("others", [])
    return found


@on_stage
async def test_keys_and_users_of_another_controller_are_counted(stage: Stage) -> None:
    await live_before(stage, with_key("orders"), with_key("billing"), with_password("search"))
    await begin(stage, with_key("mail"))
    [other] = others(stage)
    assert (other["controller"], other["keys"], other["users"], other["roles"]) == (FORMER.controller, 2, 1, 0)
    message = condition_in(stage.cluster(), "OthersPresent")["message"]
    assert "2 API keys, 1 user here, which stay in force" in message
    assert len(stage.elasticsearch.live_keys()) == 3
