"""What the API server takes and refuses of credentials and their stores, as sentences."""

from typing import Any

from tests.integration.kinds.cases.common import Cases
from tests.integration.kinds.cases.vault import accept_vault, reject_vault, vault

CREDENTIAL = {"store": "main", "name": "orders-elasticsearch"}

_TOGETHER = "auth: ApiKey or Password and credential belong together: set both, or neither"
_STORE = "write the name of one of the SearchCluster's secretStores, such as main"
_SECRET = "write a name of lower-case letters, digits, - and ., such as orders-elasticsearch; each part"
_OVERLAP = "overlap must be shorter than rotateEvery: otherwise two keys would always be valid"
_ORPHAN = "nobody would rotate or revoke an orphaned credential"


def _with(**changes: Any) -> dict[str, Any]:
    credential = {key: value for key, value in (CREDENTIAL | changes).items() if value is not None}
    return {"auth": "ApiKey", "credential": credential}


def reject_credentials(cases: Cases) -> None:
    """Add every rule and every limit, broken."""
    cases.access("an API key without a credential", {"auth": "ApiKey"}, _TOGETHER)
    cases.access("a password without a credential", {"auth": "Password"}, _TOGETHER)
    cases.access("a credential for tokens", {"credential": CREDENTIAL}, _TOGETHER)
    cases.access("an unknown auth", _with() | {"auth": "Password1"}, 'values: "IdentityToken", "ApiKey", "Password"')
    cases.access("a key that is left behind", _with() | {"deletionPolicy": "Orphan"}, _ORPHAN)
    left = _with() | {"auth": "Password", "deletionPolicy": "Orphan"}
    cases.access("a user that is left behind", left, _ORPHAN)
    for field, texts, says, most in (
        ("store", ("", "Main", "a_b", "-a", "a-", "a.b"), _STORE, 63),
        ("name", ("", "Orders", "a_b", "-a", "a/b", "a-", "a..b", "a.-b", "a-.b", ".a", "a."), _SECRET, 253),
    ):
        cases.access(f"a credential without a {field}", _with(**{field: None}), "Required value")
        cases.access(f"a credential with too long a {field}", _with(**{field: "a" * (most + 1)}), f"more than {most}")
        for text in texts:
            cases.access(f"a credential with the {field} {text!r}", _with(**{field: text}), says)
    cases.access("an unknown format", _with(format="Yaml"), 'supported values: "Json", "Encoded"')
    cases.access("an unknown rollout", _with(rollout="Restart"), 'supported values: "None", "NewRevision"')
    cases.access("revisions of a service account", _with(rollout="NewRevision"), "a service account has no revisions")
    cases.access("an unknown time to revoke", _with(revoke="Never"), 'supported values: "WhenUnused", "AfterOverlap"')
    for field, wrong, says in (
        ("rotateEvery", ("1m", "8761h", "30d", "x"), "write a duration between 10m and 8760h, such as 720h"),
        ("overlap", ("1s", "721h", "-1h"), "write a duration between 10s and 720h, such as 24h"),
        ("gracePeriod", ("8761h", "1d"), "write a duration between 0s and 8760h, such as 168h"),
    ):
        cases.access(f"a {field} of 21 characters", _with(**{field: "1h" * 10 + "1"}), "may not be more than 20")
        for text in wrong:
            cases.access(f"a {field} of {text}", _with(**{field: text}), says)
    cases.access("an overlap as long as the rotation", _with(rotateEvery="1h", overlap="60m"), _OVERLAP)
    _reject_stores(cases)


def _reject_stores(cases: Cases) -> None:
    store = {"name": "main", "kubernetes": {}}
    for text in ("", "Main", "a_b", "-a", "a.b"):
        stores = [store | {"name": text}]
        says = "write a name of lower-case letters, digits and -, such as main"
        cases.cluster(f"a store named {text!r}", {"secretStores": stores}, says)
    cases.cluster("a store's name of 64 characters", {"secretStores": [store | {"name": "a" * 64}]}, "more than 63")
    form = store | {"kubernetes": {"format": "Env"}}
    cases.cluster("a Secret of an unknown format", {"secretStores": [form]}, 'supported values: "Json", "Keys"')
    cases.cluster("a store without a name", {"secretStores": [{"kubernetes": {}}]}, "Required value")
    one = "set exactly one of kubernetes, googleSecretManager and vault"
    cases.cluster("a store of no kind", {"secretStores": [{"name": "main"}]}, one)
    cases.cluster("a store of two kinds", {"secretStores": [store | _google()["secretStores"][0]]}, one)
    cases.cluster("a store of two other kinds", {"secretStores": [store | vault()["secretStores"][0]]}, one)
    _reject_google(cases)
    reject_vault(cases)
    cases.cluster("two stores of one name", {"secretStores": [store, store]}, "Duplicate value")
    many = [store | {"name": f"store-{number}"} for number in range(11)]
    cases.cluster("eleven stores", {"secretStores": many}, "at most 10 items")


def _google(**changes: Any) -> dict[str, Any]:
    spec = {key: value for key, value in ({"project": "acme-secrets"} | changes).items() if value is not None}
    return {"secretStores": [{"name": "main", "googleSecretManager": spec}]}


def _reject_google(cases: Cases) -> None:
    cases.cluster("Secret Manager without a project", _google(project=None), "Required value")
    for text in ("123456789012", "Acme", ""):
        cases.cluster(f"Secret Manager in the project {text!r}", _google(project=text), "write the project's ID")
    cases.cluster("too long a project", _google(project="a" * 101), "more than 100")
    region = "write the region's name, such as europe-west1"
    for text in ("europe-west1-b", "europe", ""):
        cases.cluster(f"Secret Manager in {text!r}", _google(location=text), region)
        cases.cluster(f"a replica in {text!r}", _google(replicaLocations=[text]), region)
    cases.cluster("too long a region", _google(location="a" * 64), "more than 63")
    cases.cluster("too long a replica's region", _google(replicaLocations=["a" * 64]), "more than 63")
    cases.cluster("a replica twice", _google(replicaLocations=["us-east1", "us-east1"]), "Duplicate value")
    many = [f"us-east{number}" for number in range(11)]
    cases.cluster("eleven replicas", _google(replicaLocations=many), "at most 10 items")
    both = _google(location="us-east1", replicaLocations=["us-east1"])
    cases.cluster("a region and replicas", both, "a regional secret has no replicas")
    for text in ("", "key", "projects/p/locations/l/keyRings/r/cryptoKeys/"):
        cases.cluster(f"the KMS key {text!r}", _google(kmsKey=text), "write the key's resource name")
    long = f"projects/p/locations/l/keyRings/r/cryptoKeys/{'k' * 460}"
    cases.cluster("a KMS key of 505 characters", _google(kmsKey=long), "more than 500")


def accept_credentials(cases: Cases) -> None:
    """Add what must be taken."""
    cases.access("an API key", _with())
    cases.access("a password", _with(format="Encoded") | {"auth": "Password"})
    cases.access("an API key with everything set", _with(
        store="a" * 63, name="a." * 126 + "a", format="Encoded", rotateEvery="8760h", overlap="720h", gracePeriod="0s",
        revoke="AfterOverlap",
    ) | {"deletionPolicy": "Disable", "mode": "Observe"})  # fmt: skip
    service = {"cloudRunService": {"project": "acme-shop", "location": "europe-west1", "name": "orders"}}
    cases.access("an API key that is rolled out", _with(rollout="NewRevision") | {"subject": service})
    cases.access("an API key under a name with dots", _with(name="a.b-c.0"))
    cases.access("an API key that is replaced all the time", _with(rotateEvery="10m", overlap="10s"))
    stores = [{"name": f"store-{number}", "kubernetes": {"format": "Keys"} if number else {}} for number in range(10)]
    cases.cluster("ten stores", {"secretStores": stores})
    cases.cluster("Secret Manager", _google())
    cases.cluster("Secret Manager of a region", _google(location="europe-west1"))
    key = "projects/p/locations/l/keyRings/r/cryptoKeys/k"
    replicas = [f"europe-west{number}" for number in range(10)]
    cases.cluster("Secret Manager with replicas and a key", _google(replicaLocations=replicas, kmsKey=key))
    accept_vault(cases)
