"""A test is left out only if it passed elsewhere."""

from pathlib import Path

import pytest

from tests.support.runs import passed

pytest_plugins = ["pytester"]

_CONFTEST = """
from pathlib import Path
from tests.support.runs.passed import KeepPassed, leave_out

def pytest_configure(config):
    config.pluginmanager.register(KeepPassed(Path("passed")))

def pytest_collection_modifyitems(config, items):
    ids = set(Path("before").read_text().splitlines())
    leave_out(config, items, {item for item in items if item.nodeid in ids})
"""
_TESTS = """
import pytest

@pytest.mark.parametrize("case", ["one", "two"])
def test_good(case): ...

def test_bad():
    assert False

@pytest.fixture
def broken():
    raise ValueError

def test_without_server(broken): ...
"""


def test_what_passed_is_kept_and_left_out_and_nothing_else(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(_CONFTEST)
    pytester.makepyfile(test_some=_TESTS)
    root = str(Path(passed.__file__).parents[3])
    pytester.syspathinsert(root)
    before, kept = pytester.path / "before", pytester.path / "passed"
    before.write_text("")
    without = ("-p", "no:cacheprovider", "-p", "no:asyncio")
    pytester.runpytest_inprocess(*without).assert_outcomes(passed=2, failed=1, errors=1)
    assert kept.read_text().splitlines() == ["test_some.py::test_good[one]", "test_some.py::test_good[two]"]
    kept.rename(before)
    again = pytester.runpytest_inprocess(*without)
    again.assert_outcomes(failed=1, errors=1, deselected=2)
