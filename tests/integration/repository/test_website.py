"""`make docs` builds the website, and all its links lead somewhere."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.operatorprocess import ROOT

pytestmark = pytest.mark.one_release


def test_the_website_is_built_without_a_warning_and_can_be_searched(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "website", str(tmp_path / "site")],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    site = tmp_path / "site"
    assert "from nothing to corrected drift" in (site / "tutorial" / "index.html").read_text()
    [index] = site.rglob("search*.json")
    found = {item["location"].partition("#")[0] for item in json.loads(index.read_text())["items"]}
    assert {"tutorial/", "policies/", "repository/examples/orders.yaml/"} <= found
