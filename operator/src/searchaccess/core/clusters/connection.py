"""How the operator reaches a cluster and logs in, from a SearchCluster and its Secrets."""

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Any, Final

from searchaccess.api.searchcluster import (
    GOOGLE_IDENTITY_NEEDS_REALM,
    ClientAuthentication,
    Exposure,
    SearchClusterSpec,
)
from searchaccess.core.clusters.sources import (
    Contents,
    Incomplete,
    Source,
    certificates_of,
    certificates_place,
    header_text_of,
    secret_source,
    text_of,
)

_CLOUD_PORT: Final = 443
_HOST: Final = re.compile(r"[a-z0-9.-]+(:[0-9]{1,5})?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach a cluster and log in. Equal ones make no difference to Elasticsearch."""

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
    """Audience of the operator's own identity tokens, which are renewed continuously."""
    client_secret: str = field(default="", repr=False)
    """The realm's shared client secret, which goes with a token."""
    verify: bool = True
    """Whether the server's certificate is verified."""
    public: bool = False
    """Whether it may be to a public address."""


# https://www.elastic.co/guide/en/cloud-on-k8s/current/k8s-accessing-elastic-services.html
def _eck_url(spec: SearchClusterSpec) -> str:
    return f"https://{spec.eck.name}-es-http.{spec.eck.namespace}.svc:9200" if spec.eck else ""


def _eck_user(spec: SearchClusterSpec) -> Source | None:
    return Source("Secret", spec.eck.namespace, f"{spec.eck.name}-es-elastic-user") if spec.eck else None


_ECK_USER: Final = "elastic"


def _ca_place(spec: SearchClusterSpec) -> tuple[Source, str] | None:
    """Return the object and the key with the certificates; None: there is none."""
    if Exposure.INSECURE_SKIP_VERIFY in spec.allow_exposure:
        return None
    if spec.ca is None and spec.eck:
        return Source("Secret", spec.eck.namespace, f"{spec.eck.name}-es-http-certs-public"), "ca.crt"
    return certificates_place(spec.ca)


def _login_source(spec: SearchClusterSpec) -> Source | None:
    return _eck_user(spec) if spec.login is None else secret_source(spec.login.secret_ref)


def _client_secret_source(spec: SearchClusterSpec) -> Source | None:
    identity = spec.login.google_identity if spec.login else None
    return secret_source(identity.client_secret_ref) if identity else None


def sources_of(spec: SearchClusterSpec) -> tuple[Source, ...]:
    """List all that must be read before a connection can be built."""
    login, ca, secret = _login_source(spec), _ca_place(spec), _client_secret_source(spec)
    return (*([login] if login else []), *([ca[0]] if ca else []), *([secret] if secret else []))


def addresses_of(spec: SearchClusterSpec) -> tuple[str, ...]:
    """Return the addresses of a cluster.

    Raises:
        Incomplete: its Cloud ID is none.
    """
    other = cloud_url(spec.cloud_id) if spec.cloud_id else _eck_url(spec)
    return tuple(spec.urls or (other,))


def build_connection(spec: SearchClusterSpec, read: Contents) -> Connection:
    """Build a connection.

    Args:
        spec: what the SearchCluster says.
        read: what each source has; None: there is no such object.

    Raises:
        Incomplete: something is missing or cannot be used.
    """
    skips = Exposure.INSECURE_SKIP_VERIFY in spec.allow_exposure
    public = bool(spec.cloud_id) or Exposure.PUBLIC_ADDRESS in spec.allow_exposure
    return Connection(addresses_of(spec), _ca(spec, read), **_login(spec, read), verify=not skips, public=public)


def _ca(spec: SearchClusterSpec, read: Contents) -> str:
    place = _ca_place(spec)
    if place is None:
        return (spec.ca.inline if spec.ca else None) or ""
    return certificates_of(place, read)


def _login(spec: SearchClusterSpec, read: Contents) -> dict[str, Any]:
    if spec.login and spec.login.google_identity:
        return _google_login(spec, read)
    source = _login_source(spec)
    if source is None:
        raise Incomplete("spec.login: set secretRef or googleIdentity")
    if spec.login is None:
        return {"username": _ECK_USER, "password": text_of(source, _ECK_USER, read)}
    return login_in(source, read)


def login_in(source: Source, read: Contents) -> dict[str, Any]:
    """Return the login in a Secret, as fields of a ``Connection``.

    Args:
        source: the Secret: it has ``apiKey``, or ``token``, or ``username`` and ``password``.
        read: what each source has.

    Raises:
        Incomplete: it has none, or several.
    """
    content = read.get(source)
    given = {key for key in ("apiKey", "token", "username", "password") if content and content.get(key)}
    if "apiKey" in given:
        return {"api_key": _only(source, "apiKey", given, read)}
    if "token" in given:
        return {"token": _only(source, "token", given, read)}
    if content is not None and (missing := sorted({"username", "password"} - given, reverse=True)):
        rest = ", or apiKey, or token" if not given else ""
        raise Incomplete(f"{source} lacks {' and '.join(missing)}{rest}")
    return {key: text_of(source, key, read) for key in ("username", "password")}


def _google_login(spec: SearchClusterSpec, read: Contents) -> dict[str, str]:
    realm, source = spec.identity.jwt_realm, _client_secret_source(spec)
    if realm is None:
        raise Incomplete(GOOGLE_IDENTITY_NEEDS_REALM)
    given = spec.login.google_identity if spec.login else None
    login = {"google_audience": (given.audience if given else None) or realm.audience}
    if source:
        login["client_secret"] = header_text_of(source, "clientSecret", read)
    elif realm.client_authentication is ClientAuthentication.SHARED_SECRET:
        raise Incomplete(
            "spec.login.googleIdentity.clientSecretRef is missing: the realm requires its shared client secret"
        )
    return login


def _only(source: Source, key: str, given: set[str], read: Contents) -> str:
    if len(given) > 1:
        raise Incomplete(f"{source} has {' and '.join(sorted(given))}: keep only one login")
    return header_text_of(source, key, read)


def cloud_url(cloud_id: str) -> str:
    """Return the address of Elasticsearch in a Cloud ID.

    https://www.elastic.co/docs/deploy-manage/deploy/elastic-cloud/find-cloud-id (``name:base64(host$es$kibana)``)

    Raises:
        Incomplete: it is no Cloud ID.
    """
    _, _, word = cloud_id.rpartition(":")
    try:
        host, name, *_ = base64.b64decode(word, validate=True).decode("ascii").split("$")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise Incomplete("spec.cloudId is not a Cloud ID: copy it from the deployment's page") from None
    domain, _, port = host.partition(":")
    address = f"{name}.{domain}:{port or _CLOUD_PORT}"
    if not name or not domain or not _HOST.fullmatch(address):
        raise Incomplete("spec.cloudId is not a Cloud ID: copy it from the deployment's page")
    return f"https://{address}"
