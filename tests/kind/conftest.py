"""Tests of what runs in kind: collected with `--stack=kind` alone."""

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    here = collection_path.parent == Path(__file__).parent
    return True if here and config.getoption("--stack") != "kind" else None
