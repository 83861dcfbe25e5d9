"""`make demo` shows what it promises, and what it suggests to try works."""

import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.demo.screen import LEAST_WIDTH
from tests.demo.steps.keeping import suggestions
from tests.support.operatorprocess import ROOT

pytestmark = pytest.mark.one_release

PATIENCE = 400.0
KEPT = "stops all of it"
LISTED = r"shop +{} +{}@acme-shop +{} "
HELD = (
    LISTED.format("orders-reader", "shop-web", r"r~ orders-\* +Enforce +True +InSync"),
    LISTED.format("audit-reader", "audit-report", r"rm audit-\* +Observe +False +ChangesPending"),
    r"GET /orders-\*/_search +200: 4 orders \(eu\) +200: 4 orders \(eu\) +✓",
    r"GET /orders-\*/_search  ssn and iban\? +200: neither +200: neither +✓",
    r"GET /orders-\*/_search  ssn and iban\? +200: ssn and iban +200: ssn and iban +✓",
    r"DELETE /orders-2026-11/_doc/1008 +403 refused +403 refused +✓",
    r"another audience +401 unauthenticated +401 unauthenticated +✓",
    r"shop-web searches orders-\* +200: 4 orders \(eu\) +corrected ✓",
    r"indices\[orders-\*\]\.query +.*\"region\":\"eu\".* +nothing +Corrected",
    r"Warning +DriftDetected +role/searchaccess\.default\.shop-web",
    r"Normal +DriftCorrected +2 differences",
    r"next request +403 refused +403 refused +✓",
    r"✓ All \d+ expectations held, in \d+ s",
)
BEHIND_THE_GATEWAY = (
    r"GatewayInSync +True",
    r"GatewayVerified +True",
    r"orders-reader: LicenseInsufficient",
    r"not granted +403 refused +403 refused +✓",
    r"PUT /_security/user/_password  by Envoy +403 refused +403 refused +✓",
    r"\d+\s+requests answered, 0 failed ✓",
    r"audit-payments/_search  fixed +403 refused +403 refused +✓",
    r"a login with that password  reset +401 unauthenticated +401 unauthenticated +✓",
    r"next request +403 refused +403 refused +✓",
    r"✓ All \d+ expectations held, in \d+ s",
)


class Demo:
    """The demo in a process of its own, without a terminal."""

    def __init__(self, folder: Path, **environment: str) -> None:
        paths = os.pathsep.join([str(ROOT), str(ROOT / "operator" / "src")])
        # The narrowest, where a line that is too long shows as two.
        shown = {"PYTHONPATH": paths, "PYTHONUNBUFFERED": "1", "COLUMNS": str(LEAST_WIDTH)}
        self.environment = os.environ | shown | environment
        self.folder = folder
        self.output = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.demo"],
            cwd=folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def read_until(self, text: str | None) -> None:
        """Read on until a line has a text, or to the end."""
        deadline = time.monotonic() + PATIENCE
        while (line := self._lines.get(timeout=max(0.1, deadline - time.monotonic()))) is not None:
            self.output += line
            if text and text in line:
                return

    def shell(self, *lines: str) -> str:
        """Run lines as a person would in another terminal."""
        script = "\n".join(["set -euo pipefail", "source .stack/env", *lines])
        return subprocess.run(
            ["bash", "-c", script],  # noqa: S607 - whichever bash the developer has.
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE,
        ).stdout

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)


@contextmanager
def running_demo(folder: Path, **environment: str) -> Iterator[Demo]:
    demo = Demo(folder, **environment)
    try:
        yield demo
    finally:
        if demo.process.poll() is None:
            demo.process.send_signal(signal.SIGINT)
            demo.process.wait(timeout=120)


@pytest.mark.usefixtures("built_servers")
def test_the_demo_shows_that_access_is_granted_refused_corrected_and_revoked(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    with running_demo(tmp_path, KEEP="1") as demo:
        demo.read_until(KEPT)
        for line in HELD:
            assert re.search(line, demo.output), f"no line {line} in:\n{demo.output}"
        assert "\x1b" not in demo.output, "no control codes where there is no terminal"
        assert "✗" not in demo.output

        printed = {suggestion.what: demo.shell(*suggestion.lines) for suggestion in suggestions(sys.executable)}
        answers = printed["Ask who may read an index, and why, and what somebody has to look at"]
        assert "yes, shop/orders-reader may read orders-2026-11" in answers
        assert "low not-applied" in answers
        assert "Marta Ruiz" in printed["Ask Elasticsearch as shop-web"]
        assert "ssn" not in printed["Ask Elasticsearch as shop-web"]

        family = psutil.Process(demo.process.pid).children(recursive=True)
        assert family
        demo.process.send_signal(signal.SIGINT)
        demo.read_until(None)
        assert demo.process.wait(timeout=60) == 0, demo.output
        assert not [process for process in family if process.is_running()]
        assert not (tmp_path / ".stack" / "env").exists()
        assert "Traceback" not in demo.output


@pytest.mark.usefixtures("built_servers")
def test_the_demo_shows_the_same_behind_a_gateway_on_a_basic_license(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    with running_demo(tmp_path, GATEWAY="1") as demo:
        demo.read_until(None)
        assert demo.process.wait(timeout=60) == 0, demo.output
    for line in BEHIND_THE_GATEWAY:
        assert re.search(line, demo.output), f"no line {line} in:\n{demo.output}"
    assert "✗" not in demo.output
    assert "Traceback" not in demo.output


def test_without_its_servers_the_demo_says_what_is_missing(tmp_path: Path) -> None:
    with running_demo(tmp_path, KUBEBUILDER_ASSETS=str(tmp_path)) as demo:
        demo.read_until(None)
        assert demo.process.wait(timeout=30) == 1
    assert f"✗ {tmp_path} lacks etcd" in demo.output.replace("\n", " ")
    assert "Traceback" not in demo.output
