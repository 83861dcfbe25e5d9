"""The Secret and the ValidatingWebhookConfiguration of the webhook, by the official asynchronous client."""

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from searchaccess.adapters.kubernetes.client import JSON_PATCH, KubernetesClient, decoded_base64, version_of
from searchaccess.adapters.kubernetes.paths import path_of
from searchaccess.core.model.intake.reading import is_label, is_name, mapping, objects
from searchaccess.ports.webhooks import KeptSecret, Registration

_CERTIFICATE: Final = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class KubernetesWebhooks:
    """Both objects; the chart creates them.

    Args:
        client: the API server.
        name: of both.
        namespace: of the Secret.
    """

    def __init__(self, client: KubernetesClient, name: str, namespace: str) -> None:
        self._client = client
        self._secret = path_of("/api/v1/namespaces", namespace, "secrets", name)
        self._registration = path_of("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations", name)

    async def read_secret(self) -> KeptSecret:
        """Return the Secret with the certificates."""
        raw = await self._client.call("GET", self._secret)
        decoded = ((key, decoded_base64(value)) for key, value in mapping(raw.get("data")).items())
        values = {key: value.decode(errors="replace") for key, value in decoded if value is not None}
        return KeptSecret(values, version_of(raw))

    async def write_secret(self, values: Mapping[str, str], secret: KeptSecret) -> None:
        """Replace the data of the Secret, if nobody has written it since it was read."""
        data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        change = {"op": "add", "path": "/data", "value": data}
        await self._client.call("PATCH", self._secret, [_unchanged(secret.version), change], JSON_PATCH)

    async def read_registration(self) -> Registration:
        """Return how the API server calls the webhook."""
        raw = await self._client.call("GET", self._registration)
        configs = [mapping(webhook.get("clientConfig")) for webhook in objects(raw.get("webhooks"))]
        bundles = [_CERTIFICATE.findall(_bundle(config)) for config in configs]
        same = bundles and all(bundle == bundles[0] for bundle in bundles)
        names = {name for config in configs for name in _names(config)}
        authorities = tuple(bundles[0]) if same else ()
        return Registration(tuple(sorted(names)), authorities, len(configs), version_of(raw))

    async def publish(self, authorities: Sequence[str], registration: Registration) -> None:
        """Replace the authorities that the API server trusts, if nobody has written them since they were read."""
        bundle = base64.b64encode("".join(f"{each}\n" for each in authorities).encode()).decode()
        changes = [
            {"op": "add", "path": f"/webhooks/{at}/clientConfig/caBundle", "value": bundle}
            for at in range(registration.webhooks)
        ]
        patch = [_unchanged(registration.version), *changes]
        await self._client.call("PATCH", self._registration, patch, JSON_PATCH)


def _unchanged(version: str) -> dict[str, Any]:
    return {"op": "test", "path": "/metadata/resourceVersion", "value": version}


def _bundle(config: Mapping[str, Any]) -> str:
    return (decoded_base64(config.get("caBundle")) or b"").decode(errors="replace")


def _names(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield the name that the API server expects in the certificate.

    https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#service-reference
    """
    service = mapping(config.get("service"))
    name, namespace, url = service.get("name"), service.get("namespace"), config.get("url")
    if is_label(name) and is_label(namespace):
        yield f"{name}.{namespace}.svc"
    elif isinstance(url, str):
        try:
            host = urlsplit(url).hostname
        except ValueError:
            return
        if host and (is_name(host) or ":" in host):
            yield host
