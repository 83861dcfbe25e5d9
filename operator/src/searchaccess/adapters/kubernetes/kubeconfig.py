"""Selects the kubeconfig, and finds out why one is unusable.

The client's own errors name its classes, and some quote the content of the file, including tokens, so their text is not
used. Problems that the client silently accepts, such as a cluster without a server, are found too.
"""

import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from kubernetes.aio.config.incluster_config import SERVICE_CERT_FILENAME, SERVICE_TOKEN_FILENAME

from searchaccess.adapters.yamlfiles import UNREADABLE, line_of
from searchaccess.core.model.intake.reading import mapping, objects, shortened, text

_ACCOUNT: Final = (SERVICE_TOKEN_FILENAME, SERVICE_CERT_FILENAME)
_ACCOUNT_NAMESPACE: Final = Path(SERVICE_TOKEN_FILENAME).with_name("namespace")
DEFAULT_NAMESPACE: Final = "default"
_SEPARATOR: Final = os.pathsep
"""https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/#the-kubeconfig-environment-variable"""
_PATHS: Final = {"cluster": ("certificate-authority",), "user": ("client-certificate", "client-key", "tokenFile")}
"""Fields that name files."""
_MOST: Final = 10
"""Contexts that are named."""

BAD_CERTIFICATE: Final = (
    "its certificate authority, client certificate or client key is not in PEM form, or the latter two do not belong"
    " together; log in again, or name another with --kubeconfig or --context"
)


def files_of(kubeconfig: Path | None) -> tuple[Path, ...]:
    """Return the files that make up the kubeconfig, whether they exist or not.

    Args:
        kubeconfig: the one that was named; None: those of ``KUBECONFIG``, or the usual one.
    """
    if kubeconfig is not None:
        return (kubeconfig,)
    named = [part for part in os.environ.get("KUBECONFIG", "").split(_SEPARATOR) if part]
    return tuple(Path(part).expanduser() for part in named) or (Path.home() / ".kube" / "config",)


def uses_account(kubeconfig: Path | None, context: str = "") -> bool:
    """Return whether the pod's service account is used, and no kubeconfig."""
    is_pod = "KUBERNETES_SERVICE_HOST" in os.environ and "KUBECONFIG" not in os.environ
    return kubeconfig is None and not context and is_pod


class _Unusable(Exception):
    """Its text is for messages, and quotes no value that may be a secret."""


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What a context chooses."""

    user_name: Any
    user: Mapping[str, Any]
    namespace: str


def problem_of(files: Sequence[Path], context: str = "") -> str:
    """Return what is wrong with a kubeconfig and the next step, in one line; empty: no problem was found.

    Args:
        files: those that make it up.
        context: the context that was chosen; empty: its current one.
    """
    if _can_be_read_once(files):
        # It is left to the client.
        return ""
    try:
        _choose(files, context)
    except _Unusable as cause:
        return str(cause)
    return ""


def unusable(files: Sequence[Path]) -> str:
    """Return that a kubeconfig cannot be used, whatever is wrong with it, and the next step, in one line."""
    return f"{_names(files)} cannot be used; try it with kubectl, and name another with --kubeconfig or --context"


def why_no_account() -> str:
    """Return why a pod's service account cannot be used, and the next step, in one line."""
    missing = next((path for path in _ACCOUNT if not os.access(path, os.R_OK)), "")
    cause = (
        f"{missing} does not exist or cannot be read"
        if missing
        else f"the files in {Path(_ACCOUNT[0]).parent} cannot be used"
    )
    return f"{cause}; give the pod a ServiceAccount with automountServiceAccountToken, or name a kubeconfig"


def login_plugin(files: Sequence[Path], context: str = "") -> str:
    """Return which program provides the login, and for which user, for messages; empty: none."""
    if _can_be_read_once(files):
        return ""
    try:
        chosen = _choose(files, context)
    except _Unusable:
        return ""
    if "exec" not in chosen.user:
        return ""
    command = text(mapping(chosen.user["exec"]).get("command")) or "that it names"
    return f"the program {shortened(command)} of user {_quoted(chosen.user_name)} in {_names(files)}"


def namespace_of(kubeconfig: Path | None, context: str = "") -> str:
    """Return the namespace in which kubectl would put objects that name none.

    Args:
        kubeconfig: the one that was named; None: none was.
        context: the context that was chosen; empty: its current one.
    """
    try:
        if uses_account(kubeconfig, context):
            found = _ACCOUNT_NAMESPACE.read_text(encoding="utf-8").strip()
        else:
            files = files_of(kubeconfig)
            found = "" if _can_be_read_once(files) else _choose(files, context).namespace
    except (_Unusable, OSError, ValueError):
        found = ""
    return found or DEFAULT_NAMESPACE


def _names(files: Iterable[Path]) -> str:
    return _SEPARATOR.join(map(str, files))


def _quoted(name: Any) -> str:
    return repr(shortened(name)) if isinstance(name, str) else "without a name"


def _choose(files: Sequence[Path], context: str) -> _Chosen:
    """Check what a context chooses, and return it.

    Raises:
        _Unusable: something is missing.
    """
    there = [file for file in files if not _is_missing(file)]
    if not there:
        missing = f"{files[0]} does not exist" if len(files) == 1 else f"none of {_names(files)} exists"
        raise _Unusable(f"{missing}; name a kubeconfig with --kubeconfig or KUBECONFIG")
    names = _names(there)
    by_name, current = _merged(there)
    contexts = by_name["context"]
    if not contexts:
        raise _Unusable(f"{names} has no contexts; recreate it, as with gcloud container clusters get-credentials")
    known = ", ".join(map(_quoted, list(contexts)[:_MOST])) + (", …" if len(contexts) > _MOST else "")
    name = context or current
    if not name:
        raise _Unusable(f"{names} sets no current-context; choose one with --context: {known}")
    if name not in contexts:
        raise _Unusable(f"{names} has no context {_quoted(name)}, it has {known}; choose one with --context")
    chosen, parts = mapping(contexts[name].get("context")), dict[str, Mapping[str, Any]]()
    for kind in ("cluster", "user"):
        other = chosen.get(kind)
        if kind == "user" and not other:
            continue
        if not isinstance(other, str) or other not in by_name[kind]:
            lacks = f"context {_quoted(name)} names the {kind} {_quoted(other)}, which {names} does not have"
            raise _Unusable(f"{lacks}; add it, or choose another context with --context")
        parts[kind] = mapping(by_name[kind][other].get(kind))
        _expect_files(f"{kind} {_quoted(other)}", parts[kind], _PATHS[kind], there)
    if not text(parts["cluster"].get("server")):
        raise _Unusable(f"cluster {_quoted(chosen['cluster'])} has no server in {names}; write its address there")
    return _Chosen(chosen.get("user"), parts.get("user", {}), text(chosen.get("namespace")) or "")


def _is_missing(file: Path) -> bool:
    """Return whether there is no such file. If it cannot be checked, reading it shows why."""
    try:
        file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False


def _can_be_read_once(files: Iterable[Path]) -> bool:
    """Return whether one is a pipe, such as ``<(…)`` of a shell: whoever reads it first has it."""
    return any(_is_pipe(file) for file in files)


def _is_pipe(file: Path) -> bool:
    try:
        return stat.S_ISFIFO(file.stat().st_mode)
    except (OSError, ValueError):
        return False


def _is_readable(path: Path) -> bool:
    try:
        return os.access(path, os.R_OK)
    except ValueError:
        return False


def _merged(files: Sequence[Path]) -> tuple[dict[str, dict[str, dict[str, Any]]], str]:
    """Return what several files have, by kind and name, and the current context; as the client merges them."""
    by_name: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in ("cluster", "context", "user")}
    current = ""
    for file in files:
        content = _read(file)
        for kind, known in by_name.items():
            for item in objects(content.get(f"{kind}s")):
                if isinstance(item.get("name"), str):
                    known.setdefault(item["name"], item)
        current = text(content.get("current-context")) or current
    return by_name, current


def _read(file: Path) -> Mapping[str, Any]:
    another = "name another with --kubeconfig or KUBECONFIG"
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise _Unusable(f"{file}: {os.strerror(error.errno or 0)}; make it readable, or {another}") from None
    except UnicodeDecodeError:
        raise _Unusable(f"{file} is not text; {another}") from None
    except UNREADABLE as error:
        raise _Unusable(f"{file}{line_of(error)}: it is not YAML; correct it, or {another}") from None
    if not isinstance(content, dict):
        raise _Unusable(f"{file} is not a kubeconfig; {another}")
    return content


def _in_place_of(key: str) -> str:
    """Return the field whose value the client takes before a file's."""
    return "token" if key == "tokenFile" else f"{key}-data"


def _expect_files(what: str, found: Mapping[str, Any], keys: Iterable[str], files: Sequence[Path]) -> None:
    for key in keys:
        path = text(found.get(key))
        # A relative path is relative to the file that names it: any of them is good enough to say that it is there.
        if path and _in_place_of(key) not in found and not any(_is_readable(file.parent / path) for file in files):
            raise _Unusable(
                f"{key} of {what}: {path} does not exist or cannot be read; log in again, or correct {_names(files)}"
            )
