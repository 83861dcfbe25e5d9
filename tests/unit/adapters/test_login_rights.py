"""What Elasticsearch does not say of the operator's login is not known, and so is tried."""

import asyncio
from types import SimpleNamespace
from typing import Any, Final

import pytest
from elasticsearch import BadRequestError

from searchaccess.adapters.elasticsearch.loginrights import ACTIONS, LoginClient
from searchaccess.api.clusters.tiers import Tier
from searchaccess.core.policy.login import LoginRights

ASKED: Final[dict[str, Any]] = {"username": "small", "cluster": {"manage_security": False, "manage_api_key": False}}
DELEGATED = {"role": {"manage": {"indices": [{"names": ["orders-*"], "privileges": ["read"]}]}}}
ME = {"api_key": {"id": "mine"}}


class Client(LoginClient):
    """Returns these answers; none to a question is that it is refused."""

    def __init__(self, **answers: Any) -> None:
        async def answer(name: str, **_: Any) -> Any:
            if name not in answers:
                raise BadRequestError("no", SimpleNamespace(status=400), {})  # type: ignore[arg-type]
            return SimpleNamespace(body=answers[name])

        names = ("has_privileges", "get_user_privileges", "authenticate", "get_api_key")
        questions = {name: lambda name=name, **given: answer(name, **given) for name in names}
        self.api: Any = SimpleNamespace(security=SimpleNamespace(**questions))

    async def _api(self) -> Any:
        return self.api


def rights(**answers: Any) -> LoginRights | None:
    return asyncio.run(Client(**answers).login_rights())


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {"has_privileges": {}, "get_user_privileges": {"global": []}},
        {"has_privileges": {"cluster": {"manage_security": "no"}}, "get_user_privileges": {"global": []}},
        {"has_privileges": ASKED},
        {"has_privileges": ASKED, "get_user_privileges": {}},
        {"has_privileges": ASKED, "authenticate": {}, "get_api_key": {"api_keys": [{"role_descriptors": {}}]}},
        {"has_privileges": ASKED, "authenticate": ME, "get_api_key": {"api_keys": []}},
        {"has_privileges": ASKED, "authenticate": ME, "get_api_key": {"api_keys": [{"role_descriptors": {}}]}},
    ],
)
def test_what_is_not_said_is_not_taken_for_a_no(answers: dict[str, Any]) -> None:
    assert rights(**answers) is None


def test_what_is_said_counts() -> None:
    nothing = rights(has_privileges=ASKED, get_user_privileges={"global": []})
    assert nothing == LoginRights("small")
    key = {"api_keys": [{"role_descriptors": {"x": {"global": DELEGATED}}}]}
    for some in ({"get_user_privileges": {"global": [DELEGATED]}}, {"authenticate": ME, "get_api_key": key}):
        found = rights(has_privileges=ASKED, **some)
        assert found is not None
        assert [each.names for each in found.delegated] == [("orders-*",)]


def with_actions(*actions: str) -> LoginRights | None:
    cluster = ASKED["cluster"] | dict.fromkeys(ACTIONS, False) | dict.fromkeys(actions, True)
    return rights(has_privileges={**ASKED, "cluster": cluster}, get_user_privileges={"global": []})


def test_a_role_that_names_the_actions_of_manage_security_is_as_good_as_that() -> None:
    assert with_actions(*ACTIONS) == LoginRights("small", manages=True, keys=True)


def test_of_one_that_names_some_of_them_it_is_said_which_are_missing() -> None:
    found = with_actions(*ACTIONS[:-1])
    assert found == LoginRights("small", missing=ACTIONS[-1:])
    assert found.tier is Tier.OBSERVE
    assert with_actions() == LoginRights("small"), "one that only reads lacks nothing"
