"""A dry run's own login to Elasticsearch, instead of the operator's (docs/adr/0042)."""

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from searchaccess.api.searchcluster import SearchClusterSpec
from searchaccess.core.clusters.sources import Source
from searchaccess.core.model.intake.reading import is_label, is_name, mapping
from searchaccess.ports.errors import LoginMissing

OPTION: Final = "--elasticsearch-login"
"""Also the namespace of its placeholder: no namespace in Kubernetes has such a name."""
_KEYS: Final = {"username": "USERNAME", "password": "PASSWORD", "apiKey": "API_KEY", "token": "TOKEN"}
"""Keys of a login in a Secret, and the ends of the variables that hold them."""
_PREFIX: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_LONGEST: Final = 65536
"""Bytes of one value."""
_FORMS: Final = "write env:PREFIX, file:FOLDER or secret:NAMESPACE/NAME, with CLUSTER= before it for one SearchCluster"
TRUST: Final = "--trust-files"
_KEPT_BACK: Final = "a login that is kept back"
"""The namespace of the placeholder for a login that is not sent: no namespace in Kubernetes has such a name."""


class BadLogin(ValueError):
    """A login on the command line cannot be used; the message contains no part of it."""


@dataclass(frozen=True, slots=True)
class ObserverLogin:
    """A login for one SearchCluster, or for all that have none of their own."""

    cluster: str
    """Empty: all others."""
    source: Source
    """A Secret in Kubernetes, or a placeholder for variables or files."""
    content: Mapping[str, bytes] | None = field(default=None, repr=False)
    """The content of variables or files; None: it is in Kubernetes."""


def read_logins(options: Collection[str], environment: Mapping[str, str] = os.environ) -> tuple[ObserverLogin, ...]:
    """Parse login options, and read logins from variables and files.

    Args:
        options: ``env:PREFIX``, ``file:FOLDER`` or ``secret:NAMESPACE/NAME``, optionally with ``CLUSTER=`` before it.
        environment: the environment variables.

    Raises:
        BadLogin: one cannot be read, or there are two for one SearchCluster.
    """
    found = tuple(_read(option, environment) for option in options)
    if len({login.cluster for login in found}) < len(found):
        raise BadLogin("give one login for each SearchCluster, and one without CLUSTER= for all others")
    return found


def _read(option: str, environment: Mapping[str, str]) -> ObserverLogin:
    cluster, equals, rest = option.partition("=")
    if not equals:
        cluster, rest = "", option
    kind, _, place = rest.partition(":")
    if not place or (equals and not is_name(cluster)):
        raise BadLogin(_FORMS)
    if kind == "secret":
        namespace, _, name = place.partition("/")
        if not is_label(namespace) or not is_name(name):
            raise BadLogin("write secret:NAMESPACE/NAME")
        return ObserverLogin(cluster, Source("Secret", namespace, name))
    if kind == "env":
        content, names = _variables(place, environment), {key: f"{place}_{end}" for key, end in _KEYS.items()}
    elif kind == "file":
        content, names = _files(Path(place)), {key: f"{place}/{key}" for key in _KEYS}
    else:
        raise BadLogin(_FORMS)
    if set(content) not in ({"username", "password"}, {"apiKey"}, {"token"}):
        have = " and ".join(names[key] for key in sorted(content)) or "none of them"
        wanted = f"{names['username']} and {names['password']}, or {names['apiKey']}, or {names['token']}"
        raise BadLogin(f"it takes {wanted}; there is {have}")
    return ObserverLogin(cluster, Source("Secret", OPTION, cluster or "all"), content)


def _variables(prefix: str, environment: Mapping[str, str]) -> dict[str, bytes]:
    if not _PREFIX.fullmatch(prefix):
        raise BadLogin("write env:PREFIX, where PREFIX_USERNAME and so on are variables")
    found = {key: environment.get(f"{prefix}_{end}", "") for key, end in _KEYS.items()}
    return {key: value.encode(errors="replace") for key, value in found.items() if value}


def _files(folder: Path) -> dict[str, bytes]:
    """Read a folder with a file for each key, as a Secret is mounted."""
    found = {}
    for key in _KEYS:
        try:
            with (folder / key).open("rb") as file:
                found[key] = file.read(_LONGEST)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise BadLogin(f"{folder / key}: {os.strerror(error.errno or 0)}") from None
    return {key: value for key, value in found.items() if value.strip()}


class ObserverLogins:
    """Decides which login a dry run uses for a SearchCluster: one from the command line, or the declared one.

    Neither is sent to an address from a file: whoever may propose a manifest could read it. Nor is a login sent that a
    file names: it could be any Secret, and the owner of the SearchCluster could read it.

    Args:
        logins: the logins of the command line.
        trusts_files: whether the files are reviewed, so that logins are sent to the addresses in them.
    """

    def __init__(self, logins: Collection[ObserverLogin] = (), *, trusts_files: bool = False) -> None:
        self._trusts_files = trusts_files
        self._by_cluster = {login.cluster: login for login in logins}
        self._contents = {login.source: login.content for login in logins if login.content is not None}

    def put_into(self, raw: dict[str, Any], there: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return a SearchCluster with the login to use for it, or with a placeholder for one that is not sent.

        Args:
            raw: the SearchCluster.
            there: the same object in the API server; None: there is none.
        """
        name, spec = mapping(raw.get("metadata")).get("name"), raw.get("spec")
        login = self._by_cluster.get(str(name)) or self._by_cluster.get("")
        if not isinstance(spec, dict):
            return raw
        if self._trusts_files or raw is there or _is_known(spec, mapping(there).get("spec"), by_own=login is None):
            if login is None:
                return raw
            source = login.source
        else:
            source = Source("Secret", _KEPT_BACK, str(name))
        reference = {"namespace": source.namespace, "name": source.name}
        return {**raw, "spec": {**spec, "login": {"secretRef": reference}}}

    def content(self, source: Source) -> Mapping[str, bytes] | None:
        """Return the content of a source from the command line; None: it is in Kubernetes.

        Raises:
            LoginMissing: it is not sent, see ``put_into``.
        """
        if source.namespace == _KEPT_BACK:
            raise LoginMissing(
                f"a file declares addresses, certificates, stores or a login of SearchCluster {source.name} that the "
                f"API server does not have, so no login is sent. If the files are reviewed, use {TRUST}"
            )
        return self._contents.get(source)


def _is_known(spec: Any, there: Any, *, by_own: bool) -> bool:
    """Return whether a SearchCluster sends logins only to where the one in the API server sends them.

    Args:
        spec: of the SearchCluster.
        there: the same in the API server.
        by_own: whether its declared login is used.
    """
    proposed, known = _read_spec(spec), _read_spec(there)
    if proposed is None or known is None:
        return False
    if by_own and _login_of(proposed) != _login_of(known):
        return False
    return _place_of(proposed) == _place_of(known) and _vaults(proposed) <= _vaults(known)


def _read_spec(spec: Any) -> SearchClusterSpec | None:
    try:
        return SearchClusterSpec.model_validate(spec)
    except (ValueError, RecursionError):
        return None


def _place_of(spec: SearchClusterSpec) -> tuple[Any, ...]:
    """Return what determines where a SearchCluster's login is sent."""
    return spec.urls, spec.cloud_id, spec.eck, spec.ca, set(spec.allow_exposure)


def _login_of(spec: SearchClusterSpec) -> tuple[Any, ...]:
    """Return which login a SearchCluster declares; for an identity token, that includes the audience."""
    is_token, realm = spec.login is not None and spec.login.google_identity is not None, spec.identity.jwt_realm
    return spec.login, realm.audience if realm and is_token else ""


def _vaults(spec: SearchClusterSpec) -> set[str]:
    """Return the stores that have their own address and login."""
    return {store.vault.model_dump_json() for store in spec.secret_stores if store.vault}
