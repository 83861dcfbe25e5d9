"""What the program says when it cannot work with the API server, and when it does not wait."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from searchaccess.core.answers.missing_right import grant_commands
from tests.stack.running.processes import free_port
from tests.support.waiting import eventually
from tests.unit.cli.program import (
    IMPATIENT,
    Answer,
    Answers,
    api_server,
    environment,
    searchaccess,
    warm,
    write_kubeconfig,
)
from tests.unit.cli.warm import start

if TYPE_CHECKING:
    import subprocess

NAMESPACE = {"kind": "Namespace", "metadata": {"name": "kube-system", "uid": "b1a1c1d1-0000-4000-8000-000000000001"}}
EMPTY = {"kind": "List", "metadata": {"resourceVersion": "1"}, "items": []}
WHO = "system:serviceaccount:shop:pipeline"


def forbidden(verb: str, resource: str, group: str, where: str) -> Answer:
    """Return what the API server says (1.36, measured)."""
    whole = f"{resource}.{group}" if group else resource
    text = f'{whole} is forbidden: User "{WHO}" cannot {verb} resource "{resource}" in API group "{group}" {where}'
    return 403, {"kind": "Status", "status": "Failure", "message": text, "reason": "Forbidden", "code": 403}


UNAUTHORIZED: Answer = 401, {"kind": "Status", "message": "Unauthorized", "code": 401}
NO_LIST = forbidden("list", "searchaccesses", "searchaccess.dev", "at the cluster scope")
NO_POLICIES = forbidden("list", "searchaccesspolicies", "searchaccess.dev", "at the cluster scope")
NO_LEASE = forbidden("create", "leases", "coordination.k8s.io", 'in the namespace "system"')
NO_NAMESPACE = forbidden("get", "namespaces", "", 'in the namespace "kube-system"')
NO_KINDS: Answer = 404, {"message": "not found"}
ONCE, OBSERVE, FOR = ("--once",), ("--once", "--observe"), ("--for", "50m")


def answers(**given: Answer) -> Answers:
    plurals = ("searchaccesspolicies", "searchaccessapprovals", "searchclusters", "searchaccesses", "namespaces")
    lists: Answers = dict.fromkeys(plurals, (200, EMPTY))
    # What kopf asks first, and that there is nothing to watch.
    found: Answers = {"api": (200, {"versions": ["v1"]}), "apis": (200, {"groups": []}), "v1": (200, {"resources": []})}
    return {"kube-system": (200, NAMESPACE), **lists, **found, **given}


def last_words(done: "subprocess.CompletedProcess[str]", *, began: bool = False) -> str:
    """Return the one line in which a run says why it failed; a log may come before it.

    Once it began, kopf may log what it was about to do, as it likes.
    """
    assert began or "Traceback" not in done.stderr
    *log, last = done.stderr.splitlines()
    assert [line for line in log if line.startswith("searchaccess:")] == []
    assert last.startswith("searchaccess: ")
    assert not re.search(r"[a-z](Error|Exception)\b", last)
    return last


def test_without_a_kubeconfig(tmp_path: Path) -> None:
    done = searchaccess(tmp_path, "reconcile", "--once", check=1)
    assert done.stderr.count("\n") == 1
    assert f"{tmp_path}/.kube/config does not exist; name a kubeconfig with --kubeconfig" in last_words(done)


def test_an_api_server_that_is_down(tmp_path: Path) -> None:
    port = free_port()
    kubeconfig = write_kubeconfig(tmp_path, f"http://127.0.0.1:{port}")
    done = warm(tmp_path, "reconcile", "--once", "--timeout", "5s", "--kubeconfig", str(kubeconfig), check=1)
    said = last_words(done)
    assert f"within 5 s: the API server: no connection to 127.0.0.1:{port}: connection refused; check the" in said
    assert len(done.stderr.splitlines()) == 2, "the same trouble is logged once"


@pytest.mark.parametrize(
    ("mode", "given", "says"),
    [
        (ONCE, {"kube-system": UNAUTHORIZED}, "answered 401: Unauthorized; log in again: kubectl auth whoami"),
        (OBSERVE, {"kube-system": NO_NAMESPACE}, f"{NO_NAMESPACE[1]['message']}; an administrator grants it: kubectl"),
        (ONCE, {"searchaccesses": NO_LIST}, f"{NO_LIST[1]['message']}; an administrator grants it: kubectl create"),
        (
            ONCE,
            {"searchaccesspolicies": NO_POLICIES},
            f"{NO_POLICIES[1]['message']}; an administrator grants it: kubectl",
        ),
        (FOR, {"searchaccesses": NO_LIST}, f"{NO_LIST[1]['message']}; an administrator grants it: kubectl create"),
        (ONCE, {"searchclusters": NO_KINDS}, "answered 404: not found; install the kinds: kubectl apply --server-side"),
    ],
    ids=["no login", "no namespace", "no list", "no policies", "no list for a while", "no kinds"],
)
def test_what_a_person_must_mend_ends_it_within_seconds(
    tmp_path: Path, mode: tuple[str, ...], given: Answers, says: str
) -> None:
    seen: list[str] = []
    with api_server(answers(**given), seen) as url:
        given_kubeconfig = ("--kubeconfig", str(write_kubeconfig(tmp_path, url)))
        done = warm(tmp_path, "reconcile", *mode, *given_kubeconfig, check=1, spreading=IMPATIENT)
    assert says in last_words(done)
    refused = next(iter(given))
    asked = [path.rpartition("/")[2] for path in seen].count(refused)
    assert (asked == 1) is (given[refused] is NO_KINDS), "a right may still be spreading, kinds may not"


@pytest.mark.parametrize("mode", [ONCE, FOR], ids=" ".join)
def test_a_run_that_may_keep_no_leases_ends_within_seconds(tmp_path: Path, mode: tuple[str, ...]) -> None:
    with api_server(answers(leases=NO_LEASE), []) as url:
        kubeconfig = str(write_kubeconfig(tmp_path, url))
        shared = ("--lease-namespace", "system", "--kubeconfig", kubeconfig)
        done = warm(tmp_path, "reconcile", *mode, *shared, check=1, spreading=IMPATIENT)
    said = last_words(done, began=True)
    assert (
        f"{NO_LEASE[1]['message']}; an administrator grants it: kubectl create role searchaccess-create-leases" in said
    )


@pytest.mark.parametrize(
    ("given", "what"), [({"kube-system": NO_NAMESPACE}, "kube-system"), ({"searchaccesses": NO_LIST}, "searchaccesses")]
)
def test_an_operator_goes_on_until_it_is_granted_and_says_it_in_full(tmp_path: Path, given: Answers, what: str) -> None:
    seen: list[str] = []
    served = answers(**given)
    log = tmp_path / "log"
    log.touch()
    with api_server(served, seen) as url:
        command = ("run", "--kubeconfig", str(write_kubeconfig(tmp_path, url)))
        running = start(command, environment(tmp_path), (Path(os.devnull), log, log))
        try:
            eventually(
                lambda: [path.rpartition("/")[2] for path in seen].count(what) >= 3, within=300, what="it retries"
            )
            assert running.exitcode is None
            served |= answers()
            eventually(lambda: any(path.endswith("searchaccesses") for path in seen), within=300, what="it goes on")
            running.terminate()
            running.join(300)
            assert running.exitcode == 0
        finally:
            running.kill()
            running.join()
    said = log.read_text()
    assert str(given[what][1]["message"]) in said
    assert grant_commands(str(given[what][1]["message"])) in said


@pytest.mark.parametrize(
    ("answer", "kind", "name", "resource", "where"),
    [
        (NO_LIST, "clusterrole", "list-searchaccesses", "searchaccesses.searchaccess.dev", ""),
        (NO_POLICIES, "clusterrole", "list-searchaccesspolicies", "searchaccesspolicies.searchaccess.dev", ""),
        (NO_NAMESPACE, "role", "get-namespaces", "namespaces", " -n kube-system"),
        (NO_LEASE, "role", "create-leases", "leases.coordination.k8s.io", " -n system"),
        (
            forbidden("patch", "searchaccesses/status", "searchaccess.dev", 'in the namespace "shop"'),
            "role",
            "patch-searchaccesses-status",
            "searchaccesses.searchaccess.dev/status",
            " -n shop",
        ),
    ],
)
def test_which_commands_grant_a_right(answer: Answer, kind: str, name: str, resource: str, where: str) -> None:
    name, verb = f"searchaccess-{name}", name.partition("-")[0]
    assert grant_commands(f"the API server answered 403: {answer[1]['message']}") == (
        f"kubectl create {kind} {name} --verb={verb} --resource={resource}{where} && "
        f"kubectl create {kind}binding {name} --{kind}={name} --serviceaccount=shop:pipeline{where}"
    )


def test_of_whom_it_is_said_is_quoted_for_the_shell() -> None:
    text = str(NO_LIST[1]["message"]).replace(WHO, "a b; reboot")
    assert grant_commands(text).endswith(" '--user=a b; reboot'")
    for odd in ("", "no reason given", 'User "a" cannot list resource "x;y" in API group "" at the cluster scope'):
        assert not grant_commands(odd)
