"""How the operator reaches a cluster and logs in: from what a SearchCluster says and what its Secrets have."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from searchaccess.api.searchcluster import ClientAuthentication, Exposure, SearchClusterSpec

_CERTIFICATE: Final = "-----BEGIN CERTIFICATE-----"
_CLOUD_PORT: Final = 443
_HOST: Final = re.compile(r"[a-z0-9.-]+(:[0-9]{1,5})?", re.IGNORECASE)


class Incomplete(ValueError):
    """What is needed to connect is missing or cannot be used; the message says what, and has no secret."""


@dataclass(frozen=True, slots=True)
class Source:
    """An object of Kubernetes that has a part of what is needed."""

    kind: Literal["Secret", "ConfigMap"]
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach a cluster and log in. Two that are equal make no difference to Elasticsearch."""

    urls: tuple[str, ...]
    ca: str = ""
    """Certificates in PEM form; empty: the system's."""
    username: str = ""
    password: str = field(default="", repr=False)
    api_key: str = field(default="", repr=False)
    """Encoded, as the ``Authorization`` header has it."""
    token: str = field(default="", repr=False)
    """A bearer token."""
    google_audience: str = ""
    """Audience of the operator's own identity tokens, which are got anew all the time."""
    client_secret: str = field(default="", repr=False)
    """The realm's shared client secret, which goes with a token."""
    verify: bool = True
    """Whether the server's certificate is verified."""


# https://www.elastic.co/guide/en/cloud-on-k8s/current/k8s-accessing-elastic-services.html
def _eck_url(spec: SearchClusterSpec) -> str:
    return f"https://{spec.eck.name}-es-http.{spec.eck.namespace}.svc:9200" if spec.eck else ""


def _eck_user(spec: SearchClusterSpec) -> Source | None:
    return Source("Secret", spec.eck.namespace, f"{spec.eck.name}-es-elastic-user") if spec.eck else None


_ECK_USER: Final = "elastic"


def _ca_place(spec: SearchClusterSpec) -> tuple[Source, str] | None:
    """Say in which key of which object the certificates are; None: in none."""
    ca = spec.ca
    if Exposure.INSECURE_SKIP_VERIFY in spec.allow_exposure:
        return None
    if ca and ca.secret_ref:
        return Source("Secret", ca.secret_ref.namespace, ca.secret_ref.name), ca.secret_ref.key
    if ca and ca.config_map_ref:
        return Source("ConfigMap", ca.config_map_ref.namespace, ca.config_map_ref.name), ca.config_map_ref.key
    if ca is None and spec.eck:
        return Source("Secret", spec.eck.namespace, f"{spec.eck.name}-es-http-certs-public"), "ca.crt"
    return None


def _login_source(spec: SearchClusterSpec) -> Source | None:
    if spec.login is None:
        return _eck_user(spec)
    reference = spec.login.secret_ref
    return Source("Secret", reference.namespace, reference.name) if reference else None


def _client_secret_source(spec: SearchClusterSpec) -> Source | None:
    identity = spec.login.google_identity if spec.login else None
    reference = identity.client_secret_ref if identity else None
    return Source("Secret", reference.namespace, reference.name) if reference else None


def sources_of(spec: SearchClusterSpec) -> tuple[Source, ...]:
    """Name all that must be read before a connection can be built."""
    login, ca, secret = _login_source(spec), _ca_place(spec), _client_secret_source(spec)
    return (*([login] if login else []), *([ca[0]] if ca else []), *([secret] if secret else []))


def build_connection(spec: SearchClusterSpec, read: Mapping[Source, Mapping[str, bytes] | None]) -> Connection:
    """Build a connection.

    Args:
        spec: what the SearchCluster says.
        read: what each source has; None: there is no such object.

    Raises:
        Incomplete: something is missing or cannot be used.
    """
    other = cloud_url(spec.cloud_id) if spec.cloud_id else _eck_url(spec)
    skips = Exposure.INSECURE_SKIP_VERIFY in spec.allow_exposure
    return Connection(tuple(spec.urls or (other,)), _ca(spec, read), **_login(spec, read), verify=not skips)


def _value(source: Source, key: str, read: Mapping[Source, Mapping[str, bytes] | None]) -> str:
    content = read.get(source)
    if content is None:
        raise Incomplete(f"{source} does not exist")
    if not content.get(key):
        raise Incomplete(f"{source} lacks {key}")
    try:
        return content[key].decode().strip()
    except UnicodeDecodeError:
        raise Incomplete(f"{source}: {key} is not text") from None


def _ca(spec: SearchClusterSpec, read: Mapping[Source, Mapping[str, bytes] | None]) -> str:
    place = _ca_place(spec)
    if place is None:
        return (spec.ca.inline if spec.ca else None) or ""
    text = _value(*place, read)
    if _CERTIFICATE not in text:
        raise Incomplete(f"{place[0]}: {place[1]} has no certificate in PEM form")
    return text


def _login(spec: SearchClusterSpec, read: Mapping[Source, Mapping[str, bytes] | None]) -> dict[str, Any]:
    if spec.login and spec.login.google_identity:
        return _google_login(spec, read)
    source = _login_source(spec)
    if source is None:
        raise Incomplete("spec.login: say how the operator logs in")
    if spec.login is None:
        return {"username": _ECK_USER, "password": _value(source, _ECK_USER, read)}
    content = read.get(source)
    given = {key for key in ("apiKey", "token", "username", "password") if content and content.get(key)}
    if "apiKey" in given:
        return {"api_key": _only(source, "apiKey", given, read)}
    if "token" in given:
        return {"token": _only(source, "token", given, read)}
    if content is not None and (missing := sorted({"username", "password"} - given, reverse=True)):
        rest = ", or apiKey, or token" if not given else ""
        raise Incomplete(f"{source} lacks {' and '.join(missing)}{rest}")
    return {key: _value(source, key, read) for key in ("username", "password")}


def _google_login(spec: SearchClusterSpec, read: Mapping[Source, Mapping[str, bytes] | None]) -> dict[str, str]:
    realm, source = spec.identity.jwt_realm, _client_secret_source(spec)
    given = spec.login.google_identity if spec.login else None
    login = {"google_audience": (given.audience if given else None) or realm.audience}
    if source:
        login["client_secret"] = _printable(source, "clientSecret", read)
    elif realm.client_authentication is ClientAuthentication.SHARED_SECRET:
        raise Incomplete("spec.login.googleIdentity.clientSecretRef: the realm asks for its shared client secret")
    return login


def _only(source: Source, key: str, given: set[str], read: Mapping[Source, Mapping[str, bytes] | None]) -> str:
    if len(given) > 1:
        raise Incomplete(f"{source} has {' and '.join(sorted(given))}: keep one login")
    return _printable(source, key, read)


def _printable(source: Source, key: str, read: Mapping[Source, Mapping[str, bytes] | None]) -> str:
    text = _value(source, key, read)
    if not re.fullmatch(r"[\x21-\x7e]+", text):
        # Else it could not be sent as a header.
        raise Incomplete(f"{source}: {key} has characters that no {key} has")
    return text


def cloud_url(cloud_id: str) -> str:
    """Give the address of Elasticsearch that a Cloud ID stands for.

    https://www.elastic.co/docs/deploy-manage/deploy/elastic-cloud/find-cloud-id (``name:base64(host$es$kibana)``)

    Raises:
        Incomplete: it is no Cloud ID.
    """
    _, _, word = cloud_id.rpartition(":")
    try:
        host, name, *_ = base64.b64decode(word, validate=True).decode("ascii").split("$")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise Incomplete("spec.cloudId is no Cloud ID: copy it from the deployment's page") from None
    domain, _, port = host.partition(":")
    address = f"{name}.{domain}:{port or _CLOUD_PORT}"
    if not name or not domain or not _HOST.fullmatch(address):
        raise Incomplete("spec.cloudId is no Cloud ID: copy it from the deployment's page")
    return f"https://{address}"
