"""What is read of the Secret and the ValidatingWebhookConfiguration, whatever is in them."""

import base64
from typing import Any

import pytest

from searchaccess.adapters.kubernetes.client import KubernetesClient
from searchaccess.adapters.kubernetes.webhooks import KubernetesWebhooks
from tests.unit.webhook.test_keeper import OTHER, PAIR


class Answers(KubernetesClient):
    """An API server that gives one object, and keeps what is written."""

    def __init__(self, found: dict[str, Any]) -> None:
        self.found = found
        self.calls: list[tuple[str, str, Any]] = []

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        content_type: str = "application/json",  # noqa: ARG002 - as the real one
        accept: str = "application/json",  # noqa: ARG002 - the same
    ) -> dict[str, Any]:
        self.calls.append((method, path, body))
        return self.found


def encoded(*texts: str) -> str:
    return base64.b64encode("\n".join(texts).encode()).decode()


def registration(*configs: Any) -> dict[str, Any]:
    return {"metadata": {"resourceVersion": "7"}, "webhooks": [{"clientConfig": each} for each in configs]}


SERVICE = {"name": "hook", "namespace": "search"}
READ: dict[str, tuple[dict[str, Any], tuple[str, ...], tuple[str, ...]]] = {
    "a service": (registration({"service": SERVICE}), ("hook.search.svc",), ()),
    "an address": (registration({"url": "https://127.0.0.1:9443/validate"}), ("127.0.0.1",), ()),
    "an address of version 6": (registration({"url": "https://[::1]:9443/"}), ("::1",), ()),
    "two authorities": (
        registration({"service": SERVICE, "caBundle": encoded("# old", PAIR.authority, OTHER.authority)}),
        ("hook.search.svc",),
        (PAIR.authority, OTHER.authority),
    ),
    "webhooks that trust different ones": (
        registration({"caBundle": encoded(PAIR.authority)}, {"caBundle": encoded(OTHER.authority)}),
        (),
        (),
    ),
    "odd values": (registration({"service": {"name": "../x", "namespace": 5}, "caBundle": "%%"}, None, 7), (), ()),
    "an odd address": (registration({"url": "https://[::1/"}), (), ()),
    "none": ({}, (), ()),
}


@pytest.mark.parametrize(("found", "names", "authorities"), READ.values(), ids=READ)
async def test_how_the_webhook_is_called(
    found: dict[str, Any], names: tuple[str, ...], authorities: tuple[str, ...]
) -> None:
    read = await KubernetesWebhooks(Answers(found), "hook", "search").read_registration()
    assert (read.names, read.authorities) == (names, authorities)


async def test_only_the_authorities_are_written_and_only_to_the_version_that_was_read() -> None:
    api = Answers(registration({"service": SERVICE}, {"service": SERVICE}))
    webhooks = KubernetesWebhooks(api, "hook", "search")
    await webhooks.publish([PAIR.authority, OTHER.authority], await webhooks.read_registration())
    method, path, patch = api.calls[-1]
    assert method == "PATCH"
    assert path == "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/hook"
    assert patch[0] == {"op": "test", "path": "/metadata/resourceVersion", "value": "7"}
    assert [change["path"] for change in patch[1:]] == [f"/webhooks/{at}/clientConfig/caBundle" for at in (0, 1)]
    assert {change["value"] for change in patch[1:]} == {encoded(PAIR.authority, OTHER.authority, "")}


async def test_the_secret_is_read_and_written_by_its_data() -> None:
    api = Answers({"metadata": {"resourceVersion": "3"}, "data": {"a": encoded("x"), "b": "%", "c": 1}})
    webhooks = KubernetesWebhooks(api, "hook", "search")
    secret = await webhooks.read_secret()
    assert secret.values == {"a": "x"}
    assert "x" not in repr(secret)
    await webhooks.write_secret({"tls.key": "k"}, secret)
    assert api.calls[-1] == (
        "PATCH",
        "/api/v1/namespaces/search/secrets/hook",
        [
            {"op": "test", "path": "/metadata/resourceVersion", "value": "3"},
            {"op": "add", "path": "/data", "value": {"tls.key": encoded("k")}},
        ],
    )
