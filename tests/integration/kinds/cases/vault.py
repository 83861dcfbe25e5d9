"""What the API server takes and refuses of Vault as a store."""

from typing import Any

from tests.integration.kinds.cases.common import Cases
from tests.integration.kinds.cases.reference import KEY, reject_certificates, reject_reference

_VAULT: dict[str, Any] = {"address": "https://vault.example.com:8200", "auth": {"kubernetes": {"role": "searchaccess"}}}


def vault(**changes: Any) -> dict[str, Any]:
    spec = {key: value for key, value in (_VAULT | changes).items() if value is not None}
    return {"secretStores": [{"name": "main", "vault": spec}]}


def reject_vault(cases: Cases) -> None:
    cases.cluster("Vault without an address", vault(address=None), "Required value")
    for text in (
        "http://vault:8200",
        "vault:8200",
        "https://",
        "https://u:p@vault",
        "https://vault/v1",
        "https://v?x=1",
    ):
        cases.cluster(f"Vault at {text}", vault(address=text), "write https://host:port, without path, user or query")
    cases.cluster("Vault at a long address", vault(address=f"https://{'v' * 500}"), "more than 500")
    for field in ("namespace", "mount", "path"):
        for text in ("", "/", "a/", "/a", "a//b", "a b", "a/../b"):
            cases.cluster(f"Vault with the {field} {text!r}", vault(**{field: text}), "write a path of letters")
        cases.cluster(f"Vault with too long a {field}", vault(**{field: "a" * 201}), "more than 200")
    _reject_login(cases)


def _reject_login(cases: Cases) -> None:
    reject_certificates(cases, " of Vault", lambda ca: vault(ca=ca))
    reject_reference(cases, "a token of Vault", lambda secret: vault(auth={"tokenSecretRef": secret}))
    cases.cluster("Vault without a login", vault(auth=None), "Required value")
    one = "exactly one of jwt, kubernetes and tokenSecretRef"
    kubernetes, jwt = _VAULT["auth"], {"jwt": {"role": "r", "audience": "a"}}
    for name, auth in (("no", {}), ("two", kubernetes | jwt), ("other", kubernetes | {"tokenSecretRef": KEY})):
        cases.cluster(f"Vault with {name} logins", vault(auth=auth), one)
    for way, known in (("kubernetes", {"role": "r"}), ("jwt", {"role": "r", "audience": "a"})):
        for text in ("", "a/b", "a b"):
            auth = {way: known | {"role": text}}
            cases.cluster(f"Vault by {way} as {text!r}", vault(auth=auth), "write the role's name")
        cases.cluster(f"Vault by {way} as a long role", vault(auth={way: known | {"role": "a" * 201}}), "more than 200")
        cases.cluster(f"Vault by {way} at /", vault(auth={way: known | {"mount": "/"}}), "write a path of letters")
        auth = {way: known | {"mount": "a" * 201}}
        cases.cluster(f"Vault by {way} at a long mount", vault(auth=auth), "more than 200")
        for field in known:
            auth = {way: {key: value for key, value in known.items() if key != field}}
            cases.cluster(f"Vault by {way} without a {field}", vault(auth=auth), "Required value")
    for text, says in (("", "at least 1"), ("a" * 501, "more than 500")):
        auth = {"jwt": {"role": "r", "audience": text}}
        cases.cluster(f"Vault for an audience of {len(text)} characters", vault(auth=auth), says)


def accept_vault(cases: Cases) -> None:
    """Add what must be taken."""
    cases.cluster("Vault", vault())
    everything = {"namespace": "a/b", "mount": "m/n", "path": "p/q", "ca": {"secretRef": KEY}}
    cases.cluster("Vault with everything set", vault(**everything, address="https://vault.example.com/"))
    cases.cluster("Vault by JWT", vault(auth={"jwt": {"mount": "m/n", "role": "a.b", "audience": "https://vault"}}))
    cases.cluster("Vault by a token", vault(auth={"tokenSecretRef": KEY}))
