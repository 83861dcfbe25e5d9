"""The real program, and an API server that gives one answer to everything."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import yaml
from typer.testing import CliRunner

from searchaccess.cli.main import app
from tests.support.operatorprocess import ROOT
from tests.unit.cli.warm import start

WITHIN: Final = 600
"""Seconds in which each run ends."""
IMPATIENT: Final = 0.5
"""Seconds that rights spread, where nobody is to wait for them."""


def environment(home: Path, **more: str) -> dict[str, str]:
    """Return the environment of a person who has nothing set up."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KUBE", "SEARCHACCESS_"))}
    return kept | {"HOME": str(home), "PYTHONPATH": str(ROOT / "operator" / "src"), "COLUMNS": "120"} | more


def searchaccess(
    home: Path, *arguments: str, stdin: str = "", check: int | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run the program as people do; return how it ended."""
    done = subprocess.run(
        [sys.executable, "-m", "searchaccess.cli.main", *arguments],
        env=environment(home),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN,
    )
    assert check in {None, done.returncode}, (done.returncode, done.stdout, done.stderr)
    return done


def warm(
    home: Path, *arguments: str, stdin: str = "", check: int | None = None, spreading: float | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run the program where it is loaded already, which takes a tenth of the time; return how it ended.

    Args:
        home: folder of the person.
        arguments: its command line.
        stdin: its standard input.
        check: the exit code that is expected; None: any.
        spreading: seconds that a right may take to spread.
    """
    files = [home / name for name in ("stdin", "stdout", "stderr")]
    for file, text in zip(files, (stdin, "", ""), strict=True):
        file.write_text(text)
    process = start(arguments, environment(home), files, spreading)
    try:
        process.join(WITHIN)
        code = process.exitcode
        assert code is not None, f"it runs longer than {WITHIN} s"
    finally:
        process.kill()
        process.join()
    done = subprocess.CompletedProcess(arguments, code, files[1].read_text(), files[2].read_text())
    assert check in {None, code}, (code, done.stdout, done.stderr)
    return done


Answer = tuple[int, dict[str, Any]]
Answers = dict[str, Answer]
"""Status and body by the last part of a path."""


def refused(*arguments: str, code: int = 64) -> str:
    """Return the output for a command line that ends before anything begins, in this process: a start takes long."""
    done = CliRunner().invoke(app, arguments, env={"COLUMNS": "120"})
    assert done.exit_code == code, done.output
    return " ".join(done.output.split()) if code else done.output


def write_kubeconfig(folder: Path, url: str) -> Path:
    """Write one for a server that needs no certificate."""
    path = folder / "kubeconfig"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "one", "cluster": {"server": url}}],
        "users": [{"name": "me", "user": {"token": "a-token"}}],
        "contexts": [{"name": "here", "context": {"cluster": "one", "user": "me"}}],
    }
    path.write_text(yaml.safe_dump(content))
    return path


@contextmanager
def api_server(answers: Answers, seen: list[str]) -> Iterator[str]:
    """Serve an answer by the end of the path, as the API server gives it; yield the address.

    Args:
        answers: what is not there is 404.
        seen: gets the path of each request.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            path = self.path.partition("?")[0]
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, body = answers.get(path.rpartition("/")[2], (404, {"message": "not found"}))
            text = json.dumps(body).encode()
            seen.append(path)
            with suppress(ConnectionError):
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

        do_GET = do_POST = answer  # noqa: N815 - the names that it has

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
