"""Names in logs are chosen by callers: no output obeys them, and none fails."""

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from searchaccess.cli.commands.audit import AuditFormat
from searchaccess.cli.commands.findings import FindingsFormat
from searchaccess.cli.main import app
from tests.unit.answers.audit.lines import line, written
from tests.unit.answers.findings.material import access, cluster

EVIL = "x\ud800\x1b[31m\x9b31m\u202e\n---\n"
OBEYED = ("\x1b", "\x9b", "\u202e")
"""What a terminal would obey."""


@pytest.mark.parametrize(
    ("command", "output"),
    [*(("audit", str(each)) for each in AuditFormat), *(("findings", str(each)) for each in FindingsFormat)],
)
def test_names_of_callers_move_no_cursor_and_end_no_command(tmp_path: Path, command: str, output: str) -> None:
    manifests = tmp_path / "all.yaml"
    manifests.write_text(yaml.safe_dump_all([access(), cluster()]))
    keyed = {"apikey__id": EVIL, "apikey__name": EVIL}
    log = str(written(tmp_path, line(user__name=EVIL, indices=[EVIL], opaque_id=EVIL), line(user__name=EVIL, **keyed)))
    logs = [log] if command == "audit" else ["-A", "--fail-on", "never", "--events", log]
    done = CliRunner().invoke(app, [command, "-f", str(manifests), *logs, "-o", output])
    assert (done.exit_code, done.exception and repr(done.exception)) == (0, None)
    shown = done.stdout_bytes.decode()
    assert "x" in shown
    assert [each for each in OBEYED if each in shown] == []
