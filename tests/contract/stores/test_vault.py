"""Vault: how the operator logs in, whom it trusts, and what its policy must allow."""

import re
import secrets
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from searchaccess.adapters.kubernetes.client import KubernetesClient, load_configuration
from searchaccess.adapters.vault.secrets import VaultSecrets
from searchaccess.adapters.vault.session import VaultSession
from searchaccess.api.stores.credentials import SecretStoreSpec
from searchaccess.core.clusters.vault import VaultAccess
from searchaccess.core.rights.ownership import Operator
from searchaccess.operator.connections.stores import OpenStores, StoreOptions
from searchaccess.ports.errors import (
    Conflict,
    LoginMissing,
    LoginRefused,
    PermissionDenied,
    TlsNotVerified,
)
from searchaccess.ports.stores import Place
from tests.contract.stores.test_stores import payload
from tests.contract.stores.vaultstore import OPERATOR, OWNER, Tokens, a_place, declared, opened
from tests.stack.kubernetes import KubernetesServers
from tests.stack.others.vault import VaultServer
from tests.stack.trust.certificates import ServerCertificate
from tests.stack.trust.tokens import TokenIssuer
from tests.support.loop.clocks import SettableClock
from tests.support.operatorprocess import ROOT
from tests.support.waiting import eventually
from tests.support.worlds.world import SYSTEM

EMAIL = "searchaccess-operator@acme.iam.gserviceaccount.com"
AUDIENCE = "https://vault.example.com"


def documented_policy() -> str:
    """The policy in docs/vault.md."""
    [policy] = re.findall(r"```hcl\n(.*?)```", (ROOT / "docs" / "vault.md").read_text(), re.DOTALL)
    return str(policy)


def ca_of(server: VaultServer) -> str:
    return server.ca_file.read_text()


@pytest.fixture(scope="module")
def vault(vault_server: VaultServer) -> VaultServer:
    """A Vault with the documented policy."""
    vault_server.write_policy("searchaccess", documented_policy())
    return vault_server


async def test_the_documented_policy_is_enough_and_no_more(vault: VaultServer) -> None:
    store = opened(declared(vault.url), Tokens(ca_of(vault), vault.make_token("searchaccess")))
    place = a_place()
    await store.add(place, OWNER, None, 1, payload())
    found = await store.find(place)
    assert found is not None
    await store.add(place, OWNER, found.secret, 2, payload("key-2"))
    assert await store.read(place, 2) == "key-2"
    await store.disable(place, found.secret, [1])
    await store.destroy(place, found.secret, [1])
    await store.remove(place, found.secret)
    elsewhere = opened(declared(vault.url, path="others"), Tokens(ca_of(vault), vault.make_token("searchaccess")))
    with pytest.raises(PermissionDenied):
        await elsewhere.find(place)
    await store.close()
    await elsewhere.close()


async def test_each_line_of_the_policy_is_needed(vault: VaultServer) -> None:
    blocks = re.findall(r"path .*?\n}\n", documented_policy(), re.DOTALL)
    assert len(blocks) == 4
    for number in range(len(blocks)):
        vault.write_policy("part", "".join(block for index, block in enumerate(blocks) if index != number))
        store = opened(declared(vault.url), Tokens(ca_of(vault), vault.make_token("part")))
        place = a_place()
        with pytest.raises(PermissionDenied):
            await _live(store, place)
        await store.close()


async def _live(store: VaultSecrets, place: Place) -> None:
    await store.add(place, OWNER, None, 1, payload())
    found = await store.find(place)
    assert found is not None
    await store.read(place, 1)
    await store.disable(place, found.secret, [1])
    await store.destroy(place, found.secret, [1])


async def test_how_a_secret_is_marked_and_laid_out(vault: VaultServer) -> None:
    store = opened(declared(vault.url), Tokens(ca_of(vault), vault.root_token))
    place = a_place()
    await store.add(place, OWNER, None, 1, payload())
    path = f"searchaccess/shop/{place.name}"
    marks = vault.call("GET", f"secret/metadata/{path}")["data"]["custom_metadata"]
    assert marks == {
        "managed-by": "searchaccess.dev",
        "searchaccess-instance": "default",
        "searchaccess-owner-uid": OWNER.uid,
        "searchaccess-namespace": "shop",
        "searchaccess-name": "orders",
    }
    value = vault.value(path)
    assert value is not None
    assert set(value) == {"id", "api_key", "encoded", "url", "expires"}
    session = VaultSession(declared(vault.url), Tokens(ca_of(vault), vault.root_token).read, _no_token, SettableClock())
    another = VaultSecrets(declared(vault.url), Operator("another", "kube-system"), session)
    found = await another.find(place)
    assert found is not None
    assert found.secret.owner == ""
    await store.close()
    await another.close()


async def _no_token() -> str:
    raise AssertionError("it needs no such token")


async def test_what_somebody_stored_between_a_read_and_the_first_write_stays_theirs(
    vault: VaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(declared(vault.url), Tokens(ca_of(vault), vault.root_token))
    place = a_place()
    path = f"searchaccess/shop/{place.name}"
    ask = store._ask

    async def slowly(method: str, what: str, *arguments: Any) -> Any:
        if (method, what) == ("POST", "data"):
            vault.call("POST", f"secret/data/{path}", {"data": {"mine": "1"}})
        return await ask(method, what, *arguments)

    monkeypatch.setattr(store, "_ask", slowly)
    with pytest.raises(Conflict):
        await store.add(place, OWNER, None, 1, payload())
    assert vault.value(path) == {"mine": "1"}
    found = await store.find(place)
    assert found is not None
    assert found.secret.owner == ""
    await store.close()


async def test_a_secret_that_was_marked_and_no_more_is_gone_on_with(vault: VaultServer) -> None:
    store = opened(declared(vault.url), Tokens(ca_of(vault), vault.root_token))
    place = a_place()
    await store._ask("POST", "metadata", place, {"custom_metadata": store._marks(OWNER)})
    found = await store.find(place)
    assert found is not None
    assert (found.secret.owner, found.secret.versions) == (OWNER.uid, ())
    slot = await store.add(place, OWNER, found.secret, 1, payload())
    assert slot.number == 1
    await store.close()


# Logging in


async def test_by_the_operators_google_token(vault: VaultServer, issuer: TokenIssuer) -> None:
    mount = f"jwt-{secrets.token_hex(3)}"
    vault.call("POST", f"sys/auth/{mount}", {"type": "jwt"})
    vault.call("POST", f"auth/{mount}/config", {"jwt_validation_pubkeys": [issuer.public_pem()]})
    role = {"role_type": "jwt", "user_claim": "email", "bound_audiences": [AUDIENCE], "token_policies": "searchaccess"}
    vault.call("POST", f"auth/{mount}/role/operator", role | {"bound_claims": {"email": EMAIL}, "token_ttl": "1h"})
    email = EMAIL

    async def token() -> str:
        return issuer.mint(email, audience=AUDIENCE)

    auth = {"jwt": {"mount": mount, "role": "operator", "audience": AUDIENCE}}
    clock, tokens = SettableClock(), Tokens(ca_of(vault))
    store = opened(declared(vault.url, auth=auth), tokens, token, clock)
    assert await store.find(a_place()) is None
    assert await store.find(a_place()) is None
    assert tokens.reads == 1, "one login"
    clock.advance(2401)
    assert await store.find(a_place()) is None
    assert tokens.reads == 2, "another one after two thirds of the token's hour"
    await store.close()

    email = "another@acme.iam.gserviceaccount.com"
    refused = opened(declared(vault.url, auth=auth), tokens, token, clock)
    with pytest.raises(LoginRefused, match="role operator"):
        await refused.find(a_place())
    await refused.close()


async def test_by_the_operators_service_account(
    vault: VaultServer, installed: KubernetesServers, tmp_path: Path
) -> None:
    """The real API server says whose token it is, and has the Secret with Vault's certificate authority."""
    mount = f"kubernetes-{secrets.token_hex(3)}"
    vault.call("POST", f"sys/auth/{mount}", {"type": "kubernetes"})
    kubectl = partial(installed.run_kubectl, "-n", SYSTEM)
    reviewer = f"vault-{secrets.token_hex(3)}"
    kubectl("create", "serviceaccount", reviewer)
    binding = ("--clusterrole=system:auth-delegator", f"--serviceaccount={SYSTEM}:{reviewer}")
    kubectl("create", "clusterrolebinding", reviewer, *binding)
    who = f"--as=system:serviceaccount:{SYSTEM}:{reviewer}"
    eventually(lambda: installed.may("create", "tokenreviews.authentication.k8s.io", who), within=60)
    config = {
        "kubernetes_host": installed.url,
        "kubernetes_ca_cert": installed.ca_file.read_text(),
        "token_reviewer_jwt": kubectl("create", "token", reviewer).stdout,
        "disable_local_ca_jwt": True,
    }
    vault.call("POST", f"auth/{mount}/config", config)
    role = {
        "bound_service_account_names": "searchaccess-operator",
        "bound_service_account_namespaces": SYSTEM,
        "token_policies": "searchaccess",
    }
    vault.call("POST", f"auth/{mount}/role/operator", role)
    file = tmp_path / "token"
    file.write_text(kubectl("create", "token", "searchaccess-operator").stdout)
    client = KubernetesClient(await load_configuration(installed.kubeconfig))
    stores = OpenStores(client, OPERATOR, SettableClock(), StoreOptions(service_account_token=file))
    auth = {"kubernetes": {"mount": mount, "role": "operator"}}
    spec = {"address": vault.url, "auth": auth, "ca": {"inline": ca_of(vault)}}
    store = await stores.open(SecretStoreSpec.model_validate({"name": "vault", "vault": spec}))
    place = a_place()
    await store.add(place, OWNER, None, 1, payload())
    assert await store.find(place) is not None

    file.write_text(kubectl("create", "token", "default").stdout)
    again = OpenStores(client, OPERATOR, SettableClock(), StoreOptions(service_account_token=file))
    store = await again.open(SecretStoreSpec.model_validate({"name": "vault", "vault": spec}))
    with pytest.raises(LoginRefused, match="role operator"):
        await store.find(place)
    file.unlink()
    with pytest.raises(LoginMissing, match="no token of the operator's ServiceAccount"):
        await store.find(place)
    await stores.close()
    await again.close()
    await client.close()


async def test_by_a_token_that_is_renewed_and_replaced(vault: VaultServer) -> None:
    token = vault.make_token("searchaccess", period="30m")
    clock, tokens = SettableClock(), Tokens(ca_of(vault), token)
    store = opened(declared(vault.url), tokens, clock=clock)
    assert await store.find(a_place()) is None
    clock.advance(1201)
    assert await store.find(a_place()) is None
    assert tokens.reads == 2
    # It is refused: the one that is in the Secret by now is taken.
    vault.call("POST", "auth/token/revoke", {"token": token})
    tokens.access = VaultAccess(ca_of(vault), vault.make_token("searchaccess"))
    assert await store.find(a_place()) is None
    tokens.access = VaultAccess(ca_of(vault), "no-such-token")
    await store._session.close()
    with pytest.raises(LoginRefused, match="token is refused") as refused:
        await store.find(a_place())
    assert "no-such-token" not in refused.value.message
    await store.close()


async def test_a_secret_that_lacks_the_token_is_named(vault: VaultServer, installed: KubernetesServers) -> None:
    client = KubernetesClient(await load_configuration(installed.kubeconfig))
    stores = OpenStores(client, OPERATOR, SettableClock())
    spec = {"address": vault.url, "auth": {"tokenSecretRef": {"namespace": SYSTEM, "name": "no-vault"}}}
    store = await stores.open(SecretStoreSpec.model_validate({"name": "vault", "vault": spec}))
    with pytest.raises(LoginMissing, match=f"Vault: Secret {SYSTEM}/no-vault does not exist"):
        await store.find(a_place())
    await stores.close()
    await client.close()


# Whom it trusts


async def test_only_declared_authorities_are_trusted(vault: VaultServer, certificate: ServerCertificate) -> None:
    for ca in ("", certificate.ca_file.read_text()):
        store = opened(declared(vault.url), Tokens(ca, vault.root_token))
        with pytest.raises(TlsNotVerified):
            await store.find(a_place())
        await store.close()
    store = opened(declared(vault.url), Tokens("-----BEGIN CERTIFICATE-----\nx", vault.root_token))
    with pytest.raises(LoginMissing, match="certificates to trust"):
        await store.find(a_place())


async def test_nothing_of_the_environment_is_used(vault: VaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_TOKEN", vault.root_token)
    monkeypatch.setenv("VAULT_ADDR", "https://127.0.0.1:1")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    store = opened(declared(vault.url), Tokens(ca_of(vault), "no-such-token"))
    with pytest.raises(LoginRefused):
        await store.find(a_place())
    await store.close()
