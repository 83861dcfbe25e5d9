"""An observer's own login: where it comes from, and to whom it is never sent."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from searchaccess.core.clusters.sources import Source
from searchaccess.operator.observer_login import OPTION, BadLogin, ObserverLogins, read_logins
from searchaccess.operator.observing import ObservedKubernetes
from searchaccess.ports.errors import LoginMissing
from searchaccess.ports.kubernetes import Page, Plural
from tests.support.operatorprocess import ROOT
from tests.unit.builders import a_search_cluster
from tests.unit.cli.program import refused

DOCS = ROOT / "docs"
SECRET = "hunter2-of-the-observer"
PASSWORD = {"OBSERVER_USERNAME": "observer", "OBSERVER_PASSWORD": SECRET}


def test_it_comes_from_variables_files_and_secrets(tmp_path: Path) -> None:
    (tmp_path / "username").write_text("observer\n")
    (tmp_path / "password").write_text(SECRET)
    (tmp_path / "other").write_text("of something else")
    (tmp_path / "empty").mkdir()
    found = read_logins(["env:OBSERVER", f"prod=file:{tmp_path}", "eu.prod=secret:team/observer"], PASSWORD)
    assert [(login.cluster, login.source, login.content) for login in found] == [
        ("", Source("Secret", OPTION, "all"), {"username": b"observer", "password": SECRET.encode()}),
        ("prod", Source("Secret", OPTION, "prod"), {"username": b"observer\n", "password": SECRET.encode()}),
        ("eu.prod", Source("Secret", "team", "observer"), None),
    ]  # fmt: skip
    assert SECRET not in repr(found)
    [login] = read_logins(["env:KEY"], {"KEY_API_KEY": "a-key"})
    assert login.content == {"apiKey": b"a-key"}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((SECRET,), "write env:PREFIX, file:FOLDER or secret:NAMESPACE/NAME"),
        (("password:hunter2",), "write env:PREFIX, file:FOLDER"),
        (("env:",), "write env:PREFIX"),
        (("env:A-B",), "write env:PREFIX"),
        (("Prod=env:OBSERVER",), "write env:PREFIX"),
        (("secret:observer",), "write secret:NAMESPACE/NAME"),
        (("secret:../x/y",), "write secret:NAMESPACE/NAME"),
        (("env:NOBODY",), "NOBODY_USERNAME and NOBODY_PASSWORD, or NOBODY_API_KEY, or NOBODY_TOKEN; there is none"),
        (("env:HALF",), "there is HALF_USERNAME"),
        (("file:/nonexistent",), "/nonexistent/token; there is none of them"),
        (("env:OBSERVER", "env:OBSERVER"), "one login for each SearchCluster"),
    ],
)
def test_one_that_cannot_be_used_is_refused_without_its_secret(options: tuple[str, ...], says: str) -> None:
    with pytest.raises(BadLogin) as caught:
        read_logins(options, PASSWORD | {"HALF_USERNAME": SECRET})
    assert says in str(caught.value)
    assert SECRET not in str(caught.value)
    given = [text for option in options for text in ("--elasticsearch-login", option)]
    said = refused("reconcile", "--once", "--observe", *given) if "OBSERVER" not in str(options) else ""
    assert SECRET not in said


def test_it_is_for_runs_that_only_read() -> None:
    assert "requires --observe" in refused("reconcile", "--once", "--elasticsearch-login", "env:OBSERVER")


EVIL_VAULT = {
    "name": "vault",
    "vault": {"address": "https://vault.evil.example.com", "mount": "kv", "auth": {"kubernetes": {"role": "operator"}}},
}


class Real:
    """Has one SearchCluster, and Secrets that nobody may read."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self._raw = raw

    async def list_page(self, plural: Plural, following: str = "") -> Page:
        return Page([self._raw] if plural is Plural.CLUSTERS and not following else [])

    async def read_source(self, source: Source) -> dict[str, bytes]:
        raise AssertionError(f"{source} is read")


def in_place(**spec: Any) -> dict[str, Any]:
    raw = a_search_cluster(name="prod", **spec)
    return raw | {"metadata": {"name": "prod", "uid": "uid-of-prod", "generation": 3}}


async def login_of(
    there: dict[str, Any], option: str, *manifests: dict[str, Any], name: str = "prod", trusts: bool = False
) -> Any:
    """Return what a run uses for a SearchCluster."""
    logins = ObserverLogins(read_logins([option] if option else [], PASSWORD), trusts_files=trusts)
    kubernetes = ObservedKubernetes(Real(there), manifests, logins)  # type: ignore[arg-type]
    page = await kubernetes.list_page(Plural.CLUSTERS)
    [raw] = [item for item in page.items if item["metadata"]["name"] == name]
    reference = raw["spec"]["login"]["secretRef"]
    return await kubernetes.read_source(Source("Secret", reference["namespace"], reference["name"]))


CONTENT = {"username": b"observer", "password": SECRET.encode()}


async def test_it_takes_the_place_of_the_operators() -> None:
    assert await login_of(in_place(), "env:OBSERVER") == CONTENT
    assert await login_of(in_place(), "prod=env:OBSERVER") == CONTENT
    eck = in_place(urls=None, ca=None, login=None, eck={"namespace": "elastic", "name": "es"})
    assert await login_of(eck, "env:OBSERVER") == CONTENT
    google = in_place(login={"googleIdentity": {}})
    assert await login_of(google, "env:OBSERVER") == CONTENT


async def test_of_others_the_declared_one_is_used() -> None:
    with pytest.raises(AssertionError, match="is read"):
        await login_of(in_place(), "other=env:OBSERVER")


@pytest.mark.parametrize(
    "changed",
    [
        {"urls": ["https://evil.example.com"]},
        {"ca": {"inline": "of somebody else"}},
        {"ca": {"configMapRef": {"namespace": "evil", "name": "ca"}}},
        {"allowExposure": ["InsecureSkipVerify"]},
        {"urls": 7},
        {"secretStores": [EVIL_VAULT]},
    ],
    ids=str,
)
@pytest.mark.parametrize("option", ["", "env:OBSERVER", "prod=env:OBSERVER", "secret:team/observer"])
async def test_it_is_never_sent_where_a_file_says(changed: dict[str, Any], option: str) -> None:
    there = in_place()
    proposed = there | {"spec": there["spec"] | changed}
    with pytest.raises(LoginMissing, match="a login of SearchCluster prod that the API server does not have"):
        await login_of(there, option, proposed)
    new = {**there, "metadata": {"name": "new"}}
    with pytest.raises(LoginMissing, match="a login of SearchCluster new that the API server does not have"):
        await login_of(there, option.replace("prod", "new"), new, name="new")


@pytest.mark.parametrize(
    ("before", "changed"),
    [
        ({}, {"login": {"secretRef": {"namespace": "kube-system", "name": "any"}}}),
        ({}, {"login": {"googleIdentity": {"audience": "https://elsewhere"}}}),
        ({"login": {"googleIdentity": {}}}, {"identity": {"jwtRealm": {"name": "google", "audience": "elsewhere"}}}),
        ({"eck": {"namespace": "elastic", "name": "es"}}, {"login": None}),
    ],
    ids=str,
)
async def test_nor_is_what_a_file_names_as_the_login(before: dict[str, Any], changed: dict[str, Any]) -> None:
    there = in_place(**before)
    proposed = there | {"spec": there["spec"] | changed}
    with pytest.raises(LoginMissing, match="that the API server does not have, so no login is sent"):
        await login_of(there, "", proposed)
    assert await login_of(there, "env:OBSERVER", proposed) == CONTENT


async def test_it_is_sent_where_a_reviewed_file_says() -> None:
    there = in_place()
    moved = there | {"spec": there["spec"] | {"urls": ["https://elsewhere.example.com"]}}
    assert await login_of(there, "env:OBSERVER", moved, trusts=True) == CONTENT
    with pytest.raises(AssertionError, match="is read"):
        await login_of(there, "", moved, trusts=True)
    with pytest.raises(AssertionError, match="is read"):
        await login_of(there, "", there)
    assert "requires --filename" in refused("reconcile", "--once", "--observe", "--trust-files")


async def test_a_file_may_change_anything_else() -> None:
    there = in_place(ca={"configMapRef": {"namespace": "x", "name": "ca", "key": "ca.crt"}})
    without_default = {"configMapRef": {"namespace": "x", "name": "ca"}}
    proposed = there | {"spec": there["spec"] | {"ca": without_default, "orphans": {"allowed": True}}}
    assert await login_of(there, "env:OBSERVER", proposed) == CONTENT


def test_its_role_is_printed_as_it_is_documented() -> None:
    printed = json.loads(refused("login", "--tier", "observe", code=0))
    for page in ("jobs.md", "clusters.md"):
        documented = [
            json.loads(text) for text in re.findall(r"```json\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
        ]
        assert printed in documented
