"""The troubleshooting page names reasons that exist, and each one after which somebody has to act."""

import re
from pathlib import Path

from searchaccess.api.conditions.docs import REASON_DOCS
from searchaccess.api.conditions.reasons import Reason

PAGE = (Path(__file__).parents[4] / "docs" / "troubleshooting.md").read_text()
ROWS = re.findall(r"^\| `(\w+)`", PAGE, re.MULTILINE)


def test_it_names_only_reasons_that_exist() -> None:
    assert ROWS
    assert set(ROWS) <= set(Reason)


def test_it_has_each_reason_after_which_retrying_does_not_help() -> None:
    assert {reason for reason, doc in REASON_DOCS.items() if doc.terminal} <= set(ROWS)
