"""Plans from files alone: against a revision of their git repository."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from searchaccess.adapters.gitfiles import files_at
from searchaccess.core.answers.plan.files import plan_between
from searchaccess.core.answers.plan.model import Plan
from searchaccess.operator.answers.declaring import declared_by
from searchaccess.operator.observing import MANIFEST_FILES, check_unique, manifests_in, read_manifests
from searchaccess.ports.errors import BadManifest


def plan_against_revision(paths: Sequence[Path], revision: str, namespace: str = "") -> Plan:
    """Return what files change since a revision of their git repository: no server is asked.

    Args:
        paths: files and folders of the working tree. What was deleted since the revision counts as removed.
        revision: what they are compared with, such as ``origin/main``.
        namespace: for SearchAccesses without one; empty: ``default``.

    Raises:
        BadManifest: a file cannot be read, an object is declared twice, or there is no such revision.
    """
    before = [raw for path in paths for raw in _manifests_at(path, revision, namespace)]
    after = read_manifests(paths, namespace)
    check_unique(after)
    return plan_between(declared_by(before), declared_by(after), revision)


def _manifests_at(path: Path, revision: str, namespace: str) -> list[dict[str, Any]]:
    texts = []
    for name, content in files_at(path, revision, MANIFEST_FILES).items():
        try:
            texts.append((f"{name} at {revision}", content.decode()))
        except UnicodeDecodeError:
            raise BadManifest(f"{name} at {revision}: it cannot be read as YAML (UnicodeDecodeError)") from None
    return manifests_in(texts, namespace, logs=False)
