"""Tricks with who gets the rights, with secrets, and with what a SearchAccess says of itself."""

from collections.abc import Iterator
from typing import Any

from tests.unit.builders import a_grant
from tests.unit.policy.escapes.cases import BEYOND, KEY, TICKET, Escape


def subjects() -> Iterator[Escape]:
    """Yield tricks with who gets the rights, and where they are."""
    who = "subject: this workload or service account may not be named in this namespace"
    email = "not the e-mail address of a Google service account"

    def account(name: str, text: str, says: str) -> Escape:
        return Escape(name, {"service_account": text}, says)

    yield account("another namespace's service account", "orders@acme-bank.iam.gserviceaccount.com", who)
    yield account("a project whose name begins the same", "orders@acme-shop-eu.iam.gserviceaccount.com", who)
    yield account("a project whose name ends the same", "orders@not-acme-shop.iam.gserviceaccount.com", who)
    yield account("its own project as the account's name", "acme-shop@acme-bank.iam.gserviceaccount.com", who)
    yield account("a default account, which names no project", "1-compute@developer.gserviceaccount.com", who)
    yield account("another project's App Engine account", "acme-bank@appspot.gserviceaccount.com", who)
    yield account("a domain that continues", "orders@acme-shop.iam.gserviceaccount.com.evil.com", email)
    yield account("two addresses", "a@acme-shop.iam.gserviceaccount.com,b@acme-bank.iam.gserviceaccount.com", email)
    yield account("every account", "*@acme-shop.iam.gserviceaccount.com", email)
    yield account("upper case in an address", "Orders@acme-shop.iam.gserviceaccount.com", email)
    yield account("a line break after an address", "orders@acme-shop.iam.gserviceaccount.com\n", email)
    yield account("a person", "jane@example.com", email)
    yield account("a letter that looks the same", "orders@acme-sh\u043ep.iam.gserviceaccount.com", email)
    yield account("a user of Elasticsearch", "elastic", email)
    run = {"project": "acme-bank", "location": "europe-west1", "name": "orders"}
    yield Escape("another project's workload", {"subject": {"cloudRunService": run}}, who)
    both = {"cloudRunService": run | {"project": "acme-shop"}, "serviceAccount": "a@acme-shop.iam.gserviceaccount.com"}
    yield Escape("two subjects", {"subject": both}, "subject")
    path = {"cloudRunService": run | {"project": "acme-shop", "name": "../../acme-bank/orders"}}
    yield Escape("a path as a workload's name", {"subject": path}, "subject")
    number = {"cloudRunService": run | {"project": "123456789012"}}
    yield Escape("a project's number", {"subject": number}, "project")


def credentials() -> Iterator[Escape]:
    """Yield tricks with secrets and with what the SearchAccess says of itself."""

    def secret(trick: str, says: str, **changes: Any) -> Escape:
        return Escape(trick, {**KEY, "credential": {**KEY["credential"], **changes}}, says)

    no_name = "credential.name: {} is not accepted: write shop-*"
    yield secret("another namespace's secret", no_name.format("bank-orders"), name="bank-orders")
    yield secret("a secret whose name begins almost the same", no_name.format("shops-orders"), name="shops-orders")
    yield secret("a secret of another project, by its path", "credential.name", name="projects/x/secrets/y")
    yield secret("a secret by a path in a store", "credential.name", name="shop-/../bank")
    yield secret("a secret in upper case", "credential.name", name="SHOP-orders")
    yield secret("a wildcard as a secret", "credential.name", name="*")
    yield secret("no secret", "credential.name", name="")
    yield secret("another store", "credential.store: vault is not accepted", store="vault")
    yield secret("a store in upper case", "credential.store", store="Main")
    yield secret("a store with a line break", "credential.store", store="main\n")
    yield secret("a rotation that is too rare", "rotateEvery: 8760h is more than 168h", rotateEvery="8760h")
    yield secret("a rotation in another unit", "credential.rotateEvery", rotateEvery="1y")
    yield Escape("rights that stay after deletion", {"deletionPolicy": "Orphan"}, "deletionPolicy: Orphan is not")
    yield Escape("rights that are only disabled", {"deletionPolicy": "Disable"}, "deletionPolicy: Disable is not")
    adopt = {**TICKET, "searchaccess.dev/adopt": "role@0123456789abcdef"}
    yield Escape("the adoption of a role", {"annotations": adopt}, "searchaccess.dev/adopt is not accepted")
    ticket = "metadata.annotations: example.com/ticket is required"
    yield Escape("no ticket", {"annotations": {}}, ticket)
    yield Escape("an empty ticket", {"annotations": {"example.com/ticket": " \t"}}, ticket)
    yield Escape("a ticket in upper case", {"annotations": {"Example.com/Ticket": "CHG-1"}}, ticket)
    suspended = {"grants": [a_grant("bank-orders")], "suspend": True}
    yield Escape("suspension, so that rights stay", suspended, f"{BEYOND}bank-orders")
    observed = {"grants": [a_grant("bank-orders")], "mode": "Observe"}
    yield Escape("observation, so that rights stay", observed, f"{BEYOND}bank-orders")
    yield Escape("a null instead of a restriction", {"grants": [a_grant("shop-orders", where=None)]}, "null")
    yield Escape("a null for the grants", {"grants": None}, "")
    yield Escape("a name instead of a list of names", {"grants": [{"indices": "*", "can": ["read"]}]}, "indices")
    yield Escape(
        "a mapping instead of a list of names", {"grants": [{"indices": {"*": 1}, "can": ["read"]}]}, "indices"
    )
    yield Escape("numbers as names", {"grants": [{"indices": [1], "can": ["read"]}]}, "indices")
    yield Escape(
        "a truth as a name, as YAML reads no and on", {"grants": [{"indices": [True], "can": ["read"]}]}, "indices"
    )
    yield Escape("grants under another spelling", {"Grants": [a_grant("*")]}, "there is no such field")
    yield Escape("a merge key of YAML", {"<<": {"grants": [a_grant("*")]}}, "there is no such field")
