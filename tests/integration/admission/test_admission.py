"""The admission webhook on a real API server: what it refuses, what it never blocks, and its certificate.

No Elasticsearch is needed: what is declared decides.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

from searchaccess.api.constants import FINALIZER
from tests.support.servers.admitted import NAMESPACE, POLICY, WITHIN, Setting, admitted, body
from tests.support.waiting import eventually
from tests.support.worlds.world import access, grant

pytestmark = [pytest.mark.timeout(600), pytest.mark.one_release]

LIFETIME: Final = "72s"
"""A rotation begins after 48 seconds and takes about 18. Then 6 are left for a busy machine."""


@pytest.fixture(scope="module")
def setting(built_servers: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:  # noqa: ARG001
    with admitted(tmp_path_factory.mktemp("admission"), LIFETIME, POLICY) as one:
        yield one


def test_what_is_refused_says_what_to_write_instead(setting: Setting) -> None:
    said = setting.apply(body("wide", "orders-*"), check=False)
    assert (
        'admission webhook "accesses.searchaccess.dev" denied the request: SearchAccessPolicy own-indices: grants[0]: '
        "read is allowed only on shop-*, not on orders-*"
    ) in said
    assert "NotFound" in setting.kubectl("get", "searchaccess", "wide", "-n", NAMESPACE, check=False)[1]
    many = {"indices": [f"/a{'(b|c)*' * 6}d{number}/" for number in range(9)], "can": ["read"]}
    assert "denied the request: " in setting.apply(access("odd", many, namespace=NAMESPACE), check=False)


def test_what_is_accepted_is_stored_and_what_is_questionable_is_a_warning(setting: Setting) -> None:
    assert not setting.apply(body("narrow", "shop-1"))
    default = "123456789012-compute@developer.gserviceaccount.com"
    said = setting.apply(body("questionable", "shop-1", principal=default))
    assert said.startswith(f"Warning: spec.subject: {default} is the account of every workload of its project")


def test_what_is_refused_already_can_be_narrowed_and_deleted(setting: Setting) -> None:
    setting.apply(body("outlawed", "shop-1", "shop-2"))
    others = body("outlawed-with-finalizer", "shop-1")
    others["metadata"]["finalizers"] = ["example.com/kept"]
    setting.apply(others)
    stricter = {"spec": {"allow": [{"indices": ["other-*"], "can": ["read"]}]}}
    setting.kubectl("patch", "searchaccesspolicy", "own-indices", "--type=merge", "-p", json.dumps(stricter))
    try:
        eventually(lambda: "denied" in setting.apply(body("late", "shop-1"), check=False), within=WITHIN)
        place = ("searchaccess", "outlawed", "-n", NAMESPACE)
        setting.kubectl("annotate", *place, "example.com/a=b")
        narrower = {"spec": {"grants": [grant("shop-1")]}}
        said = setting.kubectl("patch", *place, "--type=merge", "-p", json.dumps(narrower))[1]
        assert said.startswith("Warning: it was refused before, and still is: SearchAccessPolicy own-indices: ")
        wider = {"spec": {"grants": [grant("shop-*")]}}
        assert "denied" in setting.kubectl("patch", *place, "--type=merge", "-p", json.dumps(wider), check=False)[1]
        setting.kubectl("delete", *place, "--timeout=60s")
        leaving = ("searchaccess", "outlawed-with-finalizer", "-n", NAMESPACE)
        setting.kubectl("delete", *leaving, "--wait=false")
        setting.kubectl("patch", *leaving, "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
        setting.kubectl("wait", "--for=delete", *leaving, "--timeout=60s")
    finally:
        setting.kubectl("apply", "-f", "-", body=POLICY)
        eventually(lambda: not setting.apply(body("narrow", "shop-1"), check=False), within=WITHIN)


JUDGED: Final[dict[str, dict[str, Any]]] = {
    "another spec": {"spec": {"grants": [grant("shop-2")]}},
    "less of a spec": {"spec": {"suspend": True}},
    "another label": {"metadata": {"labels": {"c": "d"}}},
    "another value of a label": {"metadata": {"labels": {"a": "c"}}},
    "no label": {"metadata": {"labels": None}},
    "another annotation": {"metadata": {"annotations": {"c": "d"}}},
    "another value of an annotation": {"metadata": {"annotations": {"a": "c"}}},
    "no annotation": {"metadata": {"annotations": {"a": None}}},
}
OWNER: Final = {"apiVersion": "v1", "kind": "Service", "name": "a", "uid": "00000000-0000-4000-8000-000000000000"}
UNJUDGED: Final[dict[str, dict[str, Any]]] = {
    "nothing": {"metadata": {"labels": {"a": "b"}}},
    "a finalizer": {"metadata": {"finalizers": ["example.com/kept", FINALIZER]}},
    "an owner": {"metadata": {"ownerReferences": [OWNER]}},
    "the same by another client": {},
}


def asked_about(setting: Setting, stored: dict[str, Any]) -> dict[str, bool]:
    """Return the changes of a SearchAccess, and whether the webhook is asked, while it fails; nothing is stored."""
    namespace, name = stored["metadata"]["namespace"], stored["metadata"]["name"]
    path = f"/apis/searchaccess.dev/v1alpha1/namespaces/{namespace}/searchaccesses/{name}?dryRun=All"
    found = {}
    with setting.servers.admin_client() as client:
        for what, change in (JUDGED | UNJUDGED).items():
            kind = "merge-patch+json" if change else "apply-patch+yaml"
            manager = "" if change else "&fieldManager=another&force=true"
            headers = {"Content-Type": f"application/{kind}"}
            content = json.dumps(change or stored)
            answer = client.patch(f"{path}{manager}", content=content, headers=headers)
            found[what] = not answer.is_success
            assert answer.is_success or "failed calling webhook" in answer.text
    return found


def test_while_no_replica_answers_the_failure_policy_decides(setting: Setting) -> None:
    marked = body("marked", "shop-1")
    marked["metadata"] |= {"finalizers": ["example.com/kept"], "labels": {"a": "b"}, "annotations": {"a": "b"}}
    setting.apply(marked)
    setting.stop("one")
    try:
        setting.apply(body("unasked", "orders-*"))
        with setting.policy_on_failure("Fail"):

            def is_failing() -> bool:
                said = setting.apply(body("asked", "shop-1"), check=False)
                return 'failed calling webhook "accesses.searchaccess.dev"' in said

            eventually(is_failing, within=WITHIN, what="the API server knows the failurePolicy")
            assert asked_about(setting, marked) == dict.fromkeys(JUDGED, True) | dict.fromkeys(UNJUDGED, False)
            place = ("searchaccess", "marked", "-n", NAMESPACE)
            for finalizers in (["example.com/kept", FINALIZER], ["example.com/kept"]):
                change = {"metadata": {"finalizers": finalizers}}
                setting.kubectl("patch", *place, "--type=merge", "-p", json.dumps(change))
            setting.kubectl("delete", *place, "--wait=false")
            setting.kubectl("patch", *place, "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
            setting.kubectl("wait", "--for=delete", *place, "--timeout=60s")
            setting.kubectl("delete", "searchaccess", "unasked", "-n", NAMESPACE, "--timeout=60s")
    finally:
        setting.start("one")
    eventually(setting.is_refused, within=WITHIN, what="it answers again")


class Applies:
    """A stream of changes that need an answer, until told to stop."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._stop = threading.Event()
        self.stored = 0
        self.failed: list[str] = []

    def run(self) -> None:
        path = f"/apis/searchaccess.dev/v1alpha1/namespaces/{NAMESPACE}/searchaccesses?dryRun=All"
        with self._setting.servers.admin_client() as client:
            while not self._stop.is_set():
                answer = client.post(path, json=body("streamed", "shop-1"))
                if answer.is_success:
                    self.stored += 1
                else:
                    self.failed.append(answer.text)

    @contextmanager
    def running(self, threads: int = 2) -> Iterator[None]:
        """Apply until the context ends."""
        found = [threading.Thread(target=self.run) for _ in range(threads)]
        for thread in found:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in found:
                thread.join()

    def until_more(self, number: int = 20) -> None:
        """Wait until more were stored."""
        wanted = self.stored + number
        eventually(lambda: self.stored >= wanted, within=WITHIN, what=f"{number} more; failed: {self.failed[:3]}")


def until_another(look: Callable[[], Any], what: str) -> Any:
    """Wait until something is another than it is now; return it."""
    before = look()
    eventually(lambda: look() != before, within=WITHIN, every=0.2, what=what)
    return look()


def test_no_apply_fails_while_the_certificate_rotates_and_replicas_restart(setting: Setting) -> None:
    setting.start("two")
    applies = Applies(setting)
    with setting.policy_on_failure("Fail"):
        with applies.running():
            first = setting.served()
            for name in ("one", "two"):
                setting.stop(name)
                applies.until_more()
                setting.start(name)
                applies.until_more()
            eventually(lambda: not setting.served() & first, within=WITHIN, every=0.2, what="both serve another one")
            bundle = until_another(setting.trusted, "the former authority is forgotten")
            applies.until_more()
        assert not applies.failed, applies.failed[:3]
    assert applies.stored >= 100
    assert len(setting.served()) == 1, "both serve the same"
    assert bundle
    assert setting.is_refused()
