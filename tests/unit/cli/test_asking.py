"""Who a subject is in Elasticsearch, whom it is asked about, and how answers are shown."""

import asyncio
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import pytest
from rich.console import Console

from searchaccess.cli.access import showing
from searchaccess.cli.access.asking import (
    Asking,
    Declarations,
    check_declared,
    cluster_for,
    document_in,
    document_of,
    who,
    why,
)
from searchaccess.cli.access.own import NoTokenError, token_of
from searchaccess.cli.access.reading import read_security
from searchaccess.cli.printing import fitting
from searchaccess.core.answers.access.actions import question_of
from searchaccess.core.answers.access.explain import Explanation
from searchaccess.core.answers.access.holders import Outcome
from searchaccess.core.answers.access.state import SecurityState
from searchaccess.core.answers.access.subjects import subject_of
from searchaccess.core.model.access import Access
from searchaccess.core.model.identities.identity import Identity, State
from searchaccess.core.model.identities.workload import Account
from searchaccess.ports.errors import ExternalError, NoSuchCluster, NoSuchSubject, PermissionDenied, Unreachable
from tests.unit.answers.access.states import GOOGLE, ORDERS, entry, key, role, state, user
from tests.unit.builders import OPERATOR, ROLE, a_cluster, an_access

if TYPE_CHECKING:
    from searchaccess.adapters.elasticsearch.client import ElasticsearchClient

READ = question_of("read")


@dataclass
class Port:
    """What a cluster answers, and what it was asked."""

    may_read: bool | ExternalError = True
    matched: bool | ExternalError | None = True
    asked: list[str] = field(default_factory=list)

    async def may(
        self, names: Sequence[str], privileges: Sequence[str], acting_as: str = ""
    ) -> Mapping[str, Mapping[str, bool]]:
        self.asked.append(acting_as)
        if isinstance(self.may_read, ExternalError):
            raise self.may_read
        return {name: dict.fromkeys(privileges, self.may_read) for name in names}

    async def finds(self, index: str, document: str, queries: Sequence[str]) -> bool | None:
        self.asked.append(f"{index}/{document} {len(queries)}")
        if isinstance(self.matched, ExternalError):
            raise self.matched
        return self.matched


def asking(given: SecurityState, *accesses: Access, port: Port | None = None, gateway: bool = False) -> Asking:
    declared = Declarations(tuple(({}, access) for access in accesses))
    found = cast("ElasticsearchClient", port or Port())
    return Asking(found, given, declared, "prod", None if gateway else GOOGLE, gateway, OPERATOR)


def explained(about: Asking, subject: str, field: str = "") -> Explanation:
    return asyncio.run(why(about, subject_of(subject), subject, "orders-1", READ, field))


READS = role(entry("orders-*", query='{"term":{"region":"eu"}}'))


def test_behind_a_gateway_a_caller_is_the_native_user_of_its_role() -> None:
    given, port = state({ROLE: READS}, users=[user(ROLE, ROLE)]), Port()
    found = explained(asking(given, an_access(), port=port, gateway=True), ORDERS)
    assert (found.outcome, found.verified, port.asked) == (Outcome.YES, True, [ROLE])
    assert explained(asking(state({ROLE: READS}), gateway=True), ORDERS).outcome is Outcome.UNKNOWN


def test_a_workload_is_asked_about_by_the_account_that_is_recorded() -> None:
    identity = Identity((Account(ORDERS, "103456789012345678901"),), State.RECALLED)
    place = {"project": "acme-shop", "location": "europe-west1", "name": "orders"}
    access = an_access(subject={"cloudRunService": place})
    known = replace(access, identity=identity, principals=(ORDERS,))
    about = asking(state({ROLE: READS}), known)
    assert explained(about, "run:acme-shop/europe-west1/orders").outcome is Outcome.YES
    assert explained(about, "run:acme-shop/europe-west1/other").outcome is Outcome.UNKNOWN
    assert explained(about, "103456789012345678901").outcome is Outcome.YES
    found = explained(asking(state({ROLE: READS}), access), "shop/orders")
    assert found.outcome is Outcome.UNKNOWN
    assert any("not known yet" in each.text for each in found.steps)


def test_the_api_key_of_a_search_access_is_found_by_its_owner() -> None:
    access = an_access(auth="ApiKey", credential={"store": "main", "name": "orders"})
    owner = {"namespace": "shop", "name": "orders", "uid": access.uid}
    mine = {**key("mine", {"all": role(entry("*", can=["all"]))}, searchaccess=READS), "metadata": {"owner": owner}}
    about = asking(state({}, keys=[mine, key("other", {"r": READS})]), access)
    found = explained(about, "shop/orders")
    assert (found.outcome, [each.name for each in found.steps if each.what == "API key"]) == (Outcome.YES, ["mine"])
    assert found.verified is None
    assert "can-i" in found.not_verified


def test_a_realm_that_no_node_has_is_a_step() -> None:
    steps = explained(asking(replace(state({ROLE: READS}), realms=()), an_access()), "shop/orders").steps
    assert ("realm", "google") in [(each.what, each.name) for each in steps]


def test_a_login_that_may_not_act_as_the_user_verifies_nothing() -> None:
    given = state({"reads": READS}, users=[user("ada", "reads")])
    found = explained(asking(given, port=Port(PermissionDenied("may not"))), "user:ada")
    assert (found.outcome, found.verified) == (Outcome.YES, None)
    assert "run_as on ada" in found.not_verified
    assert explained(asking(given, port=Port(may_read=False)), "user:ada").outcome is Outcome.NO


@pytest.mark.parametrize(
    ("matched", "outcome"),
    [(True, Outcome.YES), (False, Outcome.NO), (None, Outcome.UNKNOWN), (PermissionDenied("no"), Outcome.UNKNOWN)],
    ids=str,
)
def test_a_document_is_asked_about(matched: bool | ExternalError | None, outcome: Outcome) -> None:  # noqa: FBT001
    about = asking(state({ROLE: READS}), port=Port(matched=matched))
    found = explained(about, ORDERS)
    shown = asyncio.run(document_of(about, found, "4711"))
    assert showing.outcome_with(found, shown) is outcome


def test_a_document_of_a_file_that_depends_on_the_mapping_is_undecided() -> None:
    found = explained(asking(state({ROLE: role(entry("orders-*", query='{"match":{"note":"x"}}'))})), ORDERS)
    shown = document_in(found, {"note": "y"})
    assert (shown.shown, showing.outcome_with(found, shown)) == (None, Outcome.UNKNOWN)
    template = explained(asking(state({ROLE: role(entry("orders-*", query="{{oops"))})), ORDERS)
    assert document_in(template, {}).shown is None


def test_a_search_access_that_does_not_exist_is_an_error_and_no_answer() -> None:
    declared = Declarations((({}, an_access(cluster="prod")),), (a_cluster("prod"),))
    check_declared(subject_of("shop/orders"), declared, "prod")
    check_declared(subject_of(ORDERS), declared, "")
    with pytest.raises(NoSuchSubject, match=r"there is no SearchAccess shop/ordres; there are: shop/orders\."):
        check_declared(subject_of("shop/ordres"), declared, "")
    with pytest.raises(NoSuchSubject, match="there is none in namespace lab"):
        check_declared(subject_of("lab/orders"), declared, "")
    with pytest.raises(NoSuchSubject, match="names SearchCluster prod, not test"):
        check_declared(subject_of("shop/orders"), declared, "test")
    # What may not be read may be there.
    check_declared(subject_of("shop/ordres"), replace(declared, complete=False), "")


def test_an_api_key_that_does_not_exist_is_an_error_where_all_can_be_read() -> None:
    with pytest.raises(NoSuchSubject, match="there is no API key of the id gone, or it is invalidated or has expired"):
        explained(asking(state(keys=[key("there", {"r": READS})])), "key:gone")
    unread = replace(state(), keys=None)
    assert explained(asking(unread), "key:gone").outcome is Outcome.UNKNOWN


def test_what_a_gateway_accepts_is_a_step() -> None:
    access, given = an_access(), state({ROLE: READS}, users=[user(ROLE, ROLE)])
    for apis, says in ((["Documents", "Search"], "info"), ([], "blocks")):
        about = asking(given, access, gateway=True)
        declared = Declarations((({"status": {"limits": {"apis": apis}}}, access),))
        [step] = [
            each for each in explained(replace(about, declared=declared), "shop/orders").steps if each.what == "limits"
        ]
        assert (step.says, step.text.rpartition(": ")[2]) == (says, ", ".join(apis) or "none")


def test_which_cluster_is_asked() -> None:
    access, one, two = an_access(cluster="prod"), a_cluster("prod"), a_cluster("test")
    declared = Declarations((({}, access),), (one, two))
    assert cluster_for(subject_of("shop/orders"), declared, "") == "prod"
    assert cluster_for(None, declared, "test") == "test"
    assert cluster_for(None, Declarations(clusters=(two,)), "") == "test"
    with pytest.raises(NoSuchCluster, match="--cluster; there are: prod, test"):
        cluster_for(subject_of("shop/other"), declared, "")
    with pytest.raises(NoSuchCluster, match="--cluster; none can be listed: lists are forbidden"):
        cluster_for(None, Declarations(gaps=("lists are forbidden",), complete=False), "")


def test_answers_fit_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    about = asking(state({ROLE: READS, "reads": READS}, users=[user("ada", "reads", "gone")]), an_access())
    found, everybody = explained(about, "shop/orders"), who(about, "orders-1", READ, "")
    for columns in (80, 200):
        monkeypatch.setattr("searchaccess.cli.printing.width", lambda columns=columns: columns)
        parts = [*showing.explanation_shown(found, about, None), *showing.who_shown(everybody, about)]
        texts = [part for part in parts if isinstance(part, str)]
        assert (len(texts) == len(parts)) is (columns == 80), "a table only where it fits"
        lines = [line for text in texts for line in fitting(text, columns)]
        assert all(len(line) <= columns or " " not in line.strip() for line in lines)
    data = showing.who_data(everybody, about)
    assert json.loads(json.dumps(data)) == data
    assert [item["allowed"] for item in data["items"]] == ["yes", "yes"]
    assert data["items"][1]["doubts"]


@pytest.mark.parametrize("columns", [120, 160])
def test_names_in_answers_stay_whole_beside_long_texts(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("searchaccess.cli.printing.width", lambda: columns)
    name = "the-settlement-of-all-orders-in-europe-west1-production-which-is-a-long-name-of-a-native-user"
    about = asking(state({name: READS}, users=[user(name, name, *(f"gone-{each}" for each in range(9)))]), an_access())
    found = explained(about, f"user:{name}")
    everybody = who(about, "orders-1", READ, "")
    for parts in (showing.explanation_shown(found, about, None), showing.who_shown(everybody, about)):
        terminal = Console(file=io.StringIO(), width=columns, color_system=None, highlight=False, markup=False)
        for part in parts:
            terminal.print(part, soft_wrap=isinstance(part, str))
        lines = cast("io.StringIO", terminal.file).getvalue().splitlines()
        assert [line for line in lines if name in line and not line.startswith("yes")]


OWNED = {"owners": [{"namespace": "shop", "name": "orders", "uid": "u-1"}], "managed_by": "searchaccess-operator"}
STATUS: dict[str, dict[str, Any]] = {
    "usage": {
        "lastUsed": "2026-01-31T09:59:12Z",
        "observedAt": "2026-01-31T10:00:00Z",
        "since": "2026-01-01T00:00:00Z",
    },
    "identity": {"revisions": [{"name": "orders-00007", "percent": 90}, {"name": "orders-00006", "percent": 10}]},
}


class Counted(tuple[tuple[Mapping[str, Any], Access], ...]):
    """SearchAccesses, which count how often all of them are read."""

    __slots__ = ()
    passes = 0

    def __iter__(self) -> Any:
        type(self).passes += 1
        return super().__iter__()


def test_one_answer_says_by_which_manifest_since_when_last_used_and_by_which_revision(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    access = replace(an_access(), created_at="2026-01-01T10:00:00Z")
    declared = Declarations((({"status": STATUS}, access),), used_until={"prod": "2026-01-31T00:00:00Z"})
    roles = {ROLE: {**READS, "metadata": OWNED}, "reads": READS}
    about = replace(asking(state(roles, users=[user("ada", "reads")])), declared=declared)
    everybody = who(about, "orders-1", READ, "")
    [first, second] = showing.who_data(everybody, about)["items"]
    assert (first["searchAccesses"], first["since"]) == (["shop/orders"], "2026-01-01T10:00:00Z")
    assert first["usage"] == STATUS["usage"] | {"knownUntil": "2026-01-31T00:00:00Z"}
    assert first["revisions"] == ["orders-00007", "orders-00006"]
    assert (second["name"], second["usage"], second["revisions"]) == ("ada", None, [])
    monkeypatch.setattr("searchaccess.cli.printing.width", lambda: 80)
    lines = [str(line) for line in showing.who_shown(everybody, about)]
    assert lines[1] == "  SearchAccess shop/orders; revision orders-00007, orders-00006"
    assert "  last used: 2026-01-31T09h?" in lines, "nobody has read uses since"
    monkeypatch.setattr("searchaccess.cli.printing.width", lambda: 200)
    [table, *_] = showing.who_shown(everybody, about)
    assert [column.header for column in cast("Any", table).columns][-1] == "LAST USED"
    [table, *_] = showing.who_shown(everybody, asking(about.state, access))
    assert [column.header for column in cast("Any", table).columns][-1] == "SINCE", "where nothing is known of uses"
    steps = {each.what: each.text for each in explained(about, "shop/orders").steps}
    assert steps["revision"] == "serving: orders-00007, orders-00006"
    assert steps["last use"] == "2026-01-31T09h?, of any index"


def test_what_is_declared_is_read_once_however_many_may_do_it() -> None:
    accesses = [an_access(name=f"orders-{number}") for number in range(50)]
    owners = [{"namespace": "shop", "name": access.name, "uid": access.uid} for access in accesses]
    names = [OPERATOR.role_name(f"caller-{number}@acme-shop.iam.gserviceaccount.com") for number in range(50)]
    roles = {name: {**READS, "metadata": {**OWNED, "owners": [each]}} for name, each in zip(names, owners, strict=True)}
    declared = Declarations(Counted(({}, access) for access in accesses))
    about = replace(asking(state(roles)), declared=declared)
    everybody = who(about, "orders-1", READ, "")
    assert len(everybody.findings) == len(accesses)
    Counted.passes = 0
    assert len(showing.who_data(everybody, about)["items"]) == len(accesses)
    showing.who_shown(everybody, about)
    assert Counted.passes == 2


class Failing:
    """A cluster of which nothing may be read, or that does not answer."""

    def __init__(self, error: ExternalError) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Any:
        async def fail(*_: Any) -> Any:
            raise self._error

        return fail


def test_a_refusal_is_noted_and_an_outage_is_an_error() -> None:
    refused = asyncio.run(read_security(Failing(PermissionDenied("not allowed"))))
    assert (refused.roles, refused.keys, len(list(refused.unread()))) == (None, None, 7)
    assert not refused.knows_aliases
    hidden = replace(state(), names=None, why={})
    assert list(hidden.unread()) == [
        "aliases and data streams: the login sees none; with view_index_metadata on * it sees all"
    ]
    some = replace(state(), sees_all=False)
    assert [each.partition(":")[0] for each in some.unread()] == ["aliases and data streams"]
    with pytest.raises(Unreachable):
        asyncio.run(read_security(Failing(Unreachable("no answer"))))


def test_a_token_comes_from_one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACED", "a b")
    monkeypatch.setenv("TOKEN", " abc\n")
    assert asyncio.run(token_of(None, "TOKEN", "")) == "abc"
    for variable, audience in (("", ""), ("TOKEN", "https://es"), ("SPACED", ""), ("MISSING", "")):
        with pytest.raises(NoTokenError) as raised:
            asyncio.run(token_of(None, variable, audience))
        assert "a b" not in str(raised.value)
