"""A Secret has the parts of its value, or none, whoever wrote which of its fields before."""

import copy
import json
from typing import Any

import pytest

from searchaccess.adapters.kubernetes.client import APPLY, KubernetesClient
from searchaccess.adapters.kubernetes.secrets import KEY, KubernetesSecrets
from searchaccess.api.stores.credentials import Auth, PayloadFormat, SecretForm
from searchaccess.core.credentials.payload import build_payload
from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.rights.ownership import Operator
from searchaccess.ports.errors import Conflict
from searchaccess.ports.stores import Found, Owner, Place

OPERATOR = Operator("default", "kube-system")
PLACE = Place("shop", "orders")
OWNER = Owner("uid-1", "shop", "orders")


class OneSecret(KubernetesClient):
    """An API server with one Secret, which remembers who wrote its fields: of an apply those alone that it named."""

    def __init__(self) -> None:
        self.raw: dict[str, Any] = {}
        self._applied: set[tuple[str, str]] = set()
        self._version = 0

    async def call(
        self,
        method: str,
        path: str,  # noqa: ARG002 - there is one
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "application/json",  # noqa: ARG002 - the same
    ) -> dict[str, Any]:
        if method == "GET":
            return copy.deepcopy(self.raw)
        body = json.loads(json.dumps(body))
        if method == "POST":
            self.raw = body
            self.raw["metadata"]["uid"] = "secret-1"
        else:
            if body["metadata"]["resourceVersion"] != self.raw["metadata"]["resourceVersion"]:
                raise Conflict("the object has been modified")
            self._patch(body, is_apply=content_type == APPLY)
        self._version += 1
        self.raw["metadata"]["resourceVersion"] = str(self._version)
        return copy.deepcopy(self.raw)

    def _patch(self, body: dict[str, Any], *, is_apply: bool) -> None:
        named = {("data", name) for name in body["data"]}
        named |= {("annotations", name) for name in body["metadata"]["annotations"]}
        given = {"data": body["data"], "annotations": body["metadata"]["annotations"]}
        there = {"data": self.raw["data"], "annotations": self.raw["metadata"]["annotations"]}
        if is_apply:
            for where, name in self._applied - named:
                there[where].pop(name, None)
            self._applied = named
        for where, name in named:
            if given[where][name] is None:
                there[where].pop(name, None)
            else:
                there[where][name] = given[where][name]


def payload(key_id: str = "key-1", auth: Auth = Auth.API_KEY) -> Sealed:
    return build_payload(PayloadFormat.JSON, auth, key_id, Sealed("s3cret"), "https://es", "2026-01-01T00:00:00Z")


async def found_in(store: KubernetesSecrets) -> Found:
    found = await store.find(PLACE)
    assert found is not None
    return found


@pytest.fixture
def server() -> OneSecret:
    return OneSecret()


async def test_parts_that_a_secret_was_created_with_go_when_they_are_not_declared_any_more(server: OneSecret) -> None:
    await KubernetesSecrets(server, OPERATOR, SecretForm.KEYS).add(PLACE, OWNER, None, 1, payload())
    store = KubernetesSecrets(server, OPERATOR)
    before = await found_in(store)
    assert before.secret.form_differs
    await store.rewrite(PLACE, OWNER, before.secret, 1)
    after = await found_in(store)
    assert (after.holds, after.secret.form_differs) == ({1: "key-1"}, False)
    assert {*server.raw["data"]} == {KEY}
    # And the next value is not taken for one that somebody changed.
    await store.add(PLACE, OWNER, after.secret, 2, payload("key-2"))
    assert (await found_in(store)).holds == {2: "key-2"}


async def test_parts_of_a_key_go_when_a_password_takes_its_place(server: OneSecret) -> None:
    store = KubernetesSecrets(server, OPERATOR, SecretForm.KEYS)
    await store.add(PLACE, OWNER, None, 1, payload())
    await store.add(PLACE, OWNER, (await found_in(store)).secret, 2, payload("user-1", Auth.PASSWORD))
    parts = {"ELASTICSEARCH_URL", "ELASTICSEARCH_USERNAME", "ELASTICSEARCH_PASSWORD"}
    assert {*server.raw["data"]} == {KEY, *parts}


async def test_parts_that_others_wrote_beside_the_value_alone_stay(server: OneSecret) -> None:
    store = KubernetesSecrets(server, OPERATOR)
    await store.add(PLACE, OWNER, None, 1, payload())
    server.raw["data"]["ELASTICSEARCH_URL"] = "eA=="
    await store.add(PLACE, OWNER, (await found_in(store)).secret, 2, payload("key-2"))
    assert {*server.raw["data"]} == {KEY, "ELASTICSEARCH_URL"}


async def test_parts_go_also_where_somebody_changed_them(server: OneSecret) -> None:
    await KubernetesSecrets(server, OPERATOR, SecretForm.KEYS).add(PLACE, OWNER, None, 1, payload())
    server.raw["data"]["ELASTICSEARCH_URL"] = "eA=="
    store = KubernetesSecrets(server, OPERATOR)
    await store.add(PLACE, OWNER, (await found_in(store)).secret, 2, payload("key-2"))
    assert ((await found_in(store)).holds, {*server.raw["data"]}) == ({2: "key-2"}, {KEY})


async def test_what_others_added_stays(server: OneSecret) -> None:
    store = KubernetesSecrets(server, OPERATOR, SecretForm.KEYS)
    await store.add(PLACE, OWNER, None, 1, payload())
    server.raw["data"]["theirs"] = "eA=="
    server.raw["metadata"]["annotations"]["example.com/theirs"] = "x"
    await store.add(PLACE, OWNER, (await found_in(store)).secret, 2, payload("key-2"))
    assert "theirs" in server.raw["data"]
    assert "example.com/theirs" in server.raw["metadata"]["annotations"]
