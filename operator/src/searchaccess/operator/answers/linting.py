"""Lints files: no server is asked."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from searchaccess.adapters.yamlmarks import read_marked
from searchaccess.core.answers.lint.lint import identified, lint
from searchaccess.core.answers.lint.model import Broken, Finding, Manifest, Position
from searchaccess.core.model.intake.metadata import metadata_of
from searchaccess.operator.answers.declaring import declared_by
from searchaccess.operator.observing import MANIFEST_FILES


def lint_files(paths: Sequence[Path], now: datetime | None = None) -> list[Finding]:
    """Return what is wrong or questionable in files.

    Args:
        paths: files, and folders with YAML and JSON files at any depth. What begins with a dot is left out.
        now: the time; that of the system by default.
    """
    manifests, broken = list[Manifest](), list[Broken]()
    for file in dict.fromkeys(_files(paths)):
        try:
            content = file.read_bytes()
        except OSError as error:
            broken.append(Broken(file.as_posix(), Position(), f"it cannot be read ({type(error).__name__})"))
            continue
        found, wrong = read_marked(file.as_posix(), content)
        manifests += found
        broken += wrong
    usable: list[dict[str, Any]] = [dict(each.raw) for each in manifests if not identified(each.raw)]
    declared = declared_by([raw for raw in usable if metadata_of(raw).name])
    return lint(manifests, broken, declared, now or datetime.now(UTC))


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for item in sorted(path.rglob("*")):
            inside = item.relative_to(path).parts
            if item.suffix in MANIFEST_FILES and item.is_file() and not any(each.startswith(".") for each in inside):
                yield item
