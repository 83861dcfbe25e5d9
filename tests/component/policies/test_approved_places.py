"""State in, state out: what an approval ended stays ended wherever an edit moves a SearchAccess to."""

from typing import Any

from searchaccess.ports.errors import Unreachable
from tests.component.common import begin, granted
from tests.component.credentials.common import HOUR, STORES, live, with_key, with_password
from tests.component.identities.common import OLD, SERVICE, declared, have_roles
from tests.component.policies.test_approvals import BY_ANN, PENDING, RULE, SOON, approval, approved, orders, people
from tests.component.policies.test_policies import policy
from tests.component.timeboxes.common import at
from tests.support.loop.stage import Stage, access_key, on_stage
from tests.support.memory.google import SIDE
from tests.support.worlds.world import account, condition_in


def of_subject(one: str) -> dict[str, Any]:
    match = {"subjects": [{"serviceAccounts": [one]}]}
    return policy("people", match=match, require={"approval": RULE})


@on_stage
async def test_another_subject_that_gets_nothing_does_not_keep_what_was_approved_for_the_former_one(
    stage: Stage,
) -> None:
    await approved(stage, of_subject(account("orders")), orders())
    assert granted(stage)
    stage.amend("orders", subject={"serviceAccount": account("another")}, suspend=True)
    await stage.sleep(SOON)
    assert not granted(stage)


@on_stage
async def test_a_user_of_another_subject_does_not_stay_either(stage: Stage) -> None:
    one = with_password()
    one["metadata"]["annotations"] = dict(BY_ANN)
    await approved(stage, of_subject(account("orders")), one, secretStores=STORES)
    assert stage.elasticsearch.users_now

    def edit(raw: dict[str, Any]) -> None:
        kept = {key: value for key, value in raw["spec"].items() if key not in {"auth", "credential"}}
        raw["spec"] = kept | {"subject": {"serviceAccount": account("another")}, "suspend": True}
        raw["metadata"]["generation"] += 1

    stage.kubernetes.change(access_key("orders"), edit)
    await stage.sleep(SOON)
    assert not stage.elasticsearch.users_now


@on_stage
async def test_what_needs_no_approval_keeps_its_rights_while_its_account_is_not_known(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, OLD)
    await begin(stage, of_subject(account("another")), declared())
    assert have_roles(stage) == {OLD}
    await stage.stop()
    stage.faults.fail(SIDE, Unreachable("away"))
    stage.start()
    await stage.quiet()
    await stage.reconcile_all()
    assert have_roles(stage) == {OLD}


@on_stage
async def test_a_key_that_is_held_is_cut_short_to_its_approval(stage: Stage) -> None:
    one = with_key()
    one["metadata"]["annotations"] = dict(BY_ANN)
    await begin(stage, one, secretStores=STORES)
    stage.amend("orders", suspend=True)
    stage.apply(approval(stage))
    await stage.quiet()
    stage.apply(people())
    await stage.quiet()
    [raw] = live(stage)
    assert raw["expiration"] / 1000 - stage.elasticsearch.now() <= 2 * HOUR


@on_stage
async def test_what_begins_later_says_before_that_it_needs_an_approval(stage: Stage) -> None:
    await begin(stage, people(), orders(validFrom=at(stage, HOUR)))
    assert stage.ready("orders") == PENDING
    assert "user bob can approve it until " in condition_in(stage.get("orders"), "Ready")["message"]
    stage.apply(approval(stage))
    await stage.quiet()
    assert stage.ready("orders") == ("False", "NotYetValid")
    await stage.sleep(HOUR)
    await stage.quiet()
    assert granted(stage)
