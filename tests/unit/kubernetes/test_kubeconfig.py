"""Why a kubeconfig cannot be used: the cause and the next step in one line, and nothing that it holds in secret."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from searchaccess.adapters.kubernetes.client import KubernetesClient, load_configuration
from searchaccess.adapters.kubernetes.kubeconfig import namespace_of
from searchaccess.ports.errors import LoginMissing

SECRET = "the-token-in-the-file"
CLASS_NAME = re.compile(r"\b[A-Z][a-z]+(?:[A-Z][a-z]+)*(?:Error|Exception)\b|Traceback")


def content(**changes: Any) -> dict[str, Any]:
    """Return a kubeconfig with some parts replaced."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "one", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "me", "user": {"token": SECRET}}],
        "contexts": [{"name": "here", "context": {"cluster": "one", "user": "me"}}],
    } | changes


def user(**given: Any) -> dict[str, Any]:
    return content(users=[{"name": "me", "user": given}])


def cluster(**given: Any) -> dict[str, Any]:
    return content(clusters=[{"name": "one", "cluster": given}])


CASES: list[tuple[str, str | bytes | dict[str, Any], tuple[str, ...]]] = [
    ("empty", "", ("is not a kubeconfig",)),
    ("a list", "[]", ("is not a kubeconfig",)),
    ("another object", "apiVersion: v1\n", ("has no contexts",)),
    ("no YAML", f"{{{{ {SECRET}", ("line 1", "is not YAML")),
    ("binary", bytes(range(128, 256)), ("is not text",)),
    ("contexts of another form", content(contexts={"here": SECRET}), ("has no contexts",)),
    ("another context", content(**{"current-context": "there"}), ("no context 'there'", "it has 'here'", "--context")),
    ("no current context", content(**{"current-context": ""}), ("sets no current-context", "--context", "'here'")),
    ("no such cluster", content(clusters=[]), ("context 'here' names the cluster 'one'", "does not have")),
    ("no such user", content(users=[{"name": "you", "user": {}}]), ("context 'here' names the user 'me'",)),
    ("no server", cluster(), ("cluster 'one' has no server",)),
    ("no certificate", cluster(server="https://x", **{"certificate-authority": "/none"}), ("/none", "does not exist")),
    ("a certificate that cannot be named", cluster(server="https://x", **{"certificate-authority": "/no\0"}), ("/no",)),
    ("no token file", user(tokenFile="/no-token"), ("/no-token", "does not exist")),
    ("a plugin that is not installed", user(exec={"command": "no-such-plugin", "env": [], "args": [SECRET]}),
     ("no-such-plugin", "user 'me'", "returned no login")),
    ("certificates that are no text", cluster(server="https://x", **{"certificate-authority-data": 5}),
     ("cannot be used", "kubectl")),
]  # fmt: skip


@pytest.mark.parametrize(("file", "says"), [pytest.param(*rest, id=name) for name, *rest in CASES])
async def test_one_line_has_the_cause_and_the_next_step(
    tmp_path: Path, file: str | bytes | dict[str, Any], says: tuple[str, ...]
) -> None:
    path = tmp_path / "config"
    text = file if isinstance(file, str | bytes) else yaml.safe_dump(file)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(LoginMissing) as caught:
        await load_configuration(path)
    message = caught.value.message
    assert message.startswith("no usable kubeconfig or service account: ")
    assert str(path) in message or "/no" in message
    assert [part for part in says if part not in message] == [], message
    assert "; " in message, "there is a next step"
    assert "\n" not in message
    assert not CLASS_NAME.search(message)
    assert SECRET not in message


async def test_no_file_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(LoginMissing) as caught:
        await load_configuration()
    assert f"{tmp_path}/.kube/config does not exist; " in caught.value.message
    assert "--kubeconfig or KUBECONFIG" in caught.value.message


async def test_files_of_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first, second = tmp_path / "one", tmp_path / "two"
    first.write_text(yaml.safe_dump(content(contexts=[])))
    second.write_text(yaml.safe_dump(content(clusters=[], users=[])))
    monkeypatch.setenv("KUBECONFIG", f"{first}:{second}:{tmp_path}/three")
    configuration = await load_configuration()
    assert configuration.host == "https://127.0.0.1:1"
    with pytest.raises(LoginMissing, match="no context 'there', it has 'here'; "):
        await load_configuration(context="there")


async def test_a_context_is_chosen(tmp_path: Path) -> None:
    path = tmp_path / "config"
    both = [{"name": name, "cluster": {"server": f"https://{name}"}} for name in ("one", "two")]
    contexts = [
        {"name": "here", "context": {"cluster": "one", "user": "me"}},
        {"name": "there", "context": {"cluster": "two", "user": "me"}},
    ]
    path.write_text(yaml.safe_dump(content(clusters=both, contexts=contexts)))
    assert (await load_configuration(path)).host == "https://one"
    assert (await load_configuration(path, "there")).host == "https://two"


@pytest.mark.parametrize("name", ["a" * 300, "folder", "half\0"])
async def test_a_file_that_cannot_be_opened(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(LoginMissing, match="; "):
        await load_configuration(tmp_path / name)


async def test_a_pod_without_a_service_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.delenv("KUBECONFIG", raising=False)
    with pytest.raises(LoginMissing) as caught:
        await load_configuration()
    assert (
        "/var/run/secrets/kubernetes.io/serviceaccount/token does not exist or cannot be read; " in caught.value.message
    )
    assert "automountServiceAccountToken" in caught.value.message


async def test_a_pipe_is_read_once() -> None:
    # As a shell gives <(…): it is empty for whoever reads it next.
    reader, writer = os.pipe()
    os.write(writer, yaml.safe_dump(content()).encode())
    os.close(writer)
    try:
        file = Path(f"/dev/fd/{reader}")
        assert (await load_configuration(file)).api_key["BearerToken"] == f"Bearer {SECRET}"
        assert namespace_of(file) == "default"
    finally:
        os.close(reader)


async def test_a_token_counts_before_a_file_of_one(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(yaml.safe_dump(user(token=SECRET, tokenFile="/no-token")))
    assert (await load_configuration(file)).api_key["BearerToken"] == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    "given",
    [
        cluster(server="https://127.0.0.1:1", **{"certificate-authority-data": "YQ=="}),
        cluster(server="https://127.0.0.1:1", **{"certificate-authority-data": "!!"}),
        user(**{"client-certificate-data": "YQ==", "client-key-data": "YQ=="}),
    ],
    ids=["no certificate", "no base64", "no client certificate"],
)
async def test_certificates_that_cannot_be_used_are_said(tmp_path: Path, given: dict[str, Any]) -> None:
    file = tmp_path / "config"
    file.write_text(yaml.safe_dump(given))
    with pytest.raises(LoginMissing, match="is not in PEM form"):
        KubernetesClient(await load_configuration(file))
