"""What commands read with the options of ``Reaching``, and what they say if it may not be read."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from searchaccess.cli.options.common import answer
from searchaccess.cli.options.connecting import Reaching, takes_reaching
from searchaccess.operator.answers.reading import BadAddress, Declared, connection_to
from searchaccess.operator.observer_login import read_logins
from searchaccess.ports.errors import PermissionDenied
from tests.unit.builders import a_search_access, a_search_cluster
from tests.unit.cli.options.test_connecting import answers, forbidden
from tests.unit.cli.program import Answers, api_server, refused, write_kubeconfig

LOGIN = {"OBSERVER_USERNAME": "ada", "OBSERVER_PASSWORD": "not-to-be-shown"}


def listed(*items: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    return 200, {"kind": "List", "metadata": {"resourceVersion": "1"}, "items": list(items)}


def declared(folder: Path, served: Answers, namespace: str = "") -> tuple[Declared, list[str]]:
    """Read all that is declared in an API server; return the requests too."""
    seen: list[str] = []

    async def read(kubeconfig: Path) -> Declared:
        async with Reaching(kubeconfig=kubeconfig).open() as live:
            assert live.scope == "default"
            return await live.declared(namespace)

    with api_server(served, seen) as url:
        return asyncio.run(read(write_kubeconfig(folder, url))), seen


def test_what_is_declared_comes_raw_and_as_the_operator_reads_it(tmp_path: Path) -> None:
    access, cluster = a_search_access("one"), a_search_cluster("prod")
    namespaces = listed({"metadata": {"name": "shop", "labels": {"team": "shop"}}})
    served = answers(searchaccesses=listed(access), searchclusters=listed(cluster), namespaces=namespaces)
    found, _ = declared(tmp_path, served)
    assert [(item.raw, item.read.name) for item in found.clusters] == [(cluster, cluster["metadata"]["name"])]
    assert [(item.raw, item.read.name) for item in found.accesses] == [(access, "one")]
    assert found.cluster(cluster["metadata"]["name"]) is found.clusters[0]
    assert found.cluster("other") is None
    assert found.namespaces == {"shop": {"team": "shop"}}
    assert (found.policies, found.approvals, found.gaps) == ((), (), ())
    assert found.accesses[0].read is found.inventory.accesses[access["metadata"]["uid"]].access


def a_policy(number: int) -> dict[str, Any]:
    """Return one that takes long to be made ready."""
    name = f"limits-{number:02d}"
    return {
        "apiVersion": "searchaccess.dev/v1alpha1",
        "kind": "SearchAccessPolicy",
        "metadata": {"name": name, "uid": name, "generation": 1, "resourceVersion": "1"},
        "spec": {"deny": [{"indices": [f"d{number}-{each}-*" for each in range(100)]}] * 3},
    }


def test_what_takes_long_to_judge_is_judged_to_its_end(tmp_path: Path) -> None:
    served = answers(
        searchaccesses=listed(a_search_access("one"), a_search_access("two")),
        searchclusters=listed(a_search_cluster("prod")),
        searchaccesspolicies=listed(*map(a_policy, range(20))),
        namespaces=listed({"metadata": {"name": "shop"}}),
    )
    found, _ = declared(tmp_path, served)
    said = {item.read.name: item.read.verdict for item in found.accesses}
    assert {name: (verdict.unknown, len(verdict.outcomes)) for name, verdict in said.items()} == {
        "one": ("", 20),
        "two": ("", 20),
    }


def test_an_elasticsearch_that_cannot_be_reached_is_said_with_the_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in LOGIN.items():
        monkeypatch.setenv(name, value)
    address, login = "http://127.0.0.1:1", "env:OBSERVER"
    text = refused("who-can", "read", "orders", "--elasticsearch", address, "--elasticsearch-login", login, code=1)
    assert text == (
        "searchaccess: Elasticsearch: no connection to 127.0.0.1:1: connection refused; check that this machine can "
        "reach it: the address is that of the SearchCluster, or of --elasticsearch"
    )


def test_a_server_that_speaks_no_tls_is_said_with_the_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in LOGIN.items():
        monkeypatch.setenv(name, value)
    with api_server({}, []) as url:
        address = url.replace("http:", "https:")
        login = "env:OBSERVER"
        text = refused("who-can", "read", "orders", "--elasticsearch", address, "--elasticsearch-login", login, code=1)
    assert text == (
        f"searchaccess: Elasticsearch: no TLS connection to {address.removeprefix('https://')}: wrong version number; "
        "check the address, and the certificate authorities: spec.ca of the SearchCluster, or --ca-file"
    )


def test_a_namespace_needs_no_right_on_others(tmp_path: Path) -> None:
    _, seen = declared(tmp_path, answers(), "shop")
    named = [path for path in seen if path.endswith(("searchaccesses", "searchaccessapprovals"))]
    assert [path.rpartition("/v1alpha1/")[2] for path in named] == [
        "namespaces/shop/searchaccessapprovals",
        "namespaces/shop/searchaccesses",
    ]


def test_what_may_not_be_read_is_said_with_the_next_step(tmp_path: Path) -> None:
    refused = forbidden("list", "searchaccesspolicies", "searchaccess.dev", "at the cluster scope")
    found, _ = declared(tmp_path, answers(searchaccesspolicies=refused))
    [gap] = found.gaps
    assert "an administrator grants it: kubectl create clusterrole searchaccess-list-searchaccesspolicies" in gap
    refused = forbidden("list", "searchaccesses", "searchaccess.dev", "at the cluster scope")
    with pytest.raises(PermissionDenied) as raised:
        declared(tmp_path, answers(searchaccesses=refused))
    assert "an administrator grants it: kubectl create clusterrole" in raised.value.message


def called(*arguments: str, **environment: str) -> tuple[int, str]:
    """Call a command that connects to a cluster; return its exit code, and what it says."""
    alone = typer.Typer()

    @alone.command()
    @takes_reaching
    def ask(*, reaching: Reaching) -> None:
        async def work() -> None:
            async with reaching.open() as live:
                await live.elasticsearch("prod")
                typer.echo(f"connected, declared {len((await live.declared()).accesses)}")

        answer(work)

    done = CliRunner().invoke(alone, arguments, env={"COLUMNS": "200", **environment})
    assert "not-to-be-shown" not in done.output
    return done.exit_code, " ".join(done.output.split())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--elasticsearch", "https://localhost:9200"), "requires --elasticsearch-login"),
        (("--ca-file", __file__), "requires --elasticsearch: a SearchCluster names its own authorities"),
        (("-n", "shop", "-A"), "excludes --all-namespaces"),
        (("--instance", "Other"), "use lower-case letters"),
        (("--instance", "n\u00e9"), "use lower-case letters"),
        (("--gke", "x"), "write projects/P/locations/L/clusters/C"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_excludes_or_requires_what(arguments: tuple[str, ...], says: str) -> None:
    code, text = called(*arguments)
    assert code == 2
    assert says in text


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("elasticsearch", "write an address, such as https://"),
        ("https://ada:not-to-be-shown@es.example.com", "leave the login out of the address"),
        ("http://es.example.com:9200", "use https: everybody on the way could read the login"),
        ("http://10.0.0.1:9200", "use https"),
        ("https://es.example.com:99999", "write an address"),
        ("https://es.example.com/?a=b", "without a query"),
    ],
)
def test_a_login_is_not_sent_in_the_clear(url: str, says: str) -> None:
    code, text = called("--elasticsearch", url, "--elasticsearch-login", "env:OBSERVER", **LOGIN)
    assert code == 2
    assert says in text


@pytest.mark.parametrize("url", ["http://localhost:9200", "http://127.0.0.1:9200", "http://[::1]:9200"])
def test_an_address_of_this_machine_needs_no_certificate_and_no_kubernetes(url: str) -> None:
    done = called("--elasticsearch", url, "--elasticsearch-login", "env:OBSERVER", "--cluster", "prod", **LOGIN)
    assert done == (0, "connected, declared 0")


def test_a_login_of_another_cluster_or_in_a_secret_is_refused() -> None:
    for option, says in (
        ("other=env:OBSERVER", "no --elasticsearch-login is for prod"),
        ("secret:a/b", "needs Kubernetes"),
    ):
        with pytest.raises(BadAddress, match=says):
            connection_to("https://es.example.com", "", read_logins([option], LOGIN), "prod")
    with pytest.raises(BadAddress, match="no readable certificate"):
        connection_to("https://es.example.com", "nonsense", read_logins(["env:OBSERVER"], LOGIN), "prod")
    made = connection_to("https://es.example.com/", "", read_logins(["env:OBSERVER"], LOGIN), "prod")
    assert (made.urls, made.username, made.verify) == (("https://es.example.com",), "ada", True)
    assert "not-to-be-shown" not in repr(made)


def test_a_login_that_may_not_be_read_has_two_next_steps(tmp_path: Path) -> None:
    cluster = a_search_cluster("prod")
    secret = cluster["spec"]["login"]["secretRef"]
    refused = forbidden("get", "secrets", "", f'in the namespace "{secret["namespace"]}"')
    served = answers(searchclusters=listed(cluster), **{secret["name"]: refused})
    with api_server(served, []) as url:
        given = ("--kubeconfig", str(write_kubeconfig(tmp_path, url)))
        code, text = called(*given)
        assert code == 1
        assert "kubectl create role searchaccess-get-secrets" in text
        assert text.endswith("or give a login of your own with --elasticsearch-login")
        served["searchclusters"] = listed(a_search_cluster("other"))
        assert called(*given) == (1, "searchaccess: there is no SearchCluster named 'prod'; there are: other")
