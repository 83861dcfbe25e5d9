"""Tests that passed in one run and need not run in the next: what ran in kind is not repeated on local servers."""

from collections.abc import Collection
from pathlib import Path

import pytest


class KeepPassed:
    """Writes the ids of the tests that pass, one a line.

    Args:
        file: to which they are added.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add a test that passed."""
        if report.when == "call" and report.passed:
            with self._file.open("a") as file:
                file.write(f"{report.nodeid}\n")


def leave_out(config: pytest.Config, items: list[pytest.Item], others: Collection[pytest.Item]) -> None:
    """Deselect tests, and have that counted."""
    config.hook.pytest_deselected(items=[item for item in items if item in others])
    items[:] = [item for item in items if item not in others]
