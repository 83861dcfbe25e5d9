"""A shell that runs the blocks of a page, as a reader does, and compares what they print."""

import re
import shlex
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.support.shellblocks import Block, File, missing

PATIENCE: Final = 600.0
"""Seconds for one page."""
_SETTLES: Final = 90.0
"""Seconds in which what a block reads becomes what is shown."""
_PAUSE: Final = 0.3
_READING: Final = re.compile(
    r"""
    kubectl\ (get|describe|wait|explain)\b
    | searchaccess\ (status|explain|who-can|can-i|audit|recommend|lint|plan|version|realm\ --check)\b
    | (curl|es|caller)\ .*(_search|_count|_privileges|_authenticate)
    """,
    re.VERBOSE,
)
_COMMENT: Final = re.compile(r"(^|\s)#.*$", re.MULTILINE)


class Shell:
    """One shell for a page: what a block defines, later ones have.

    Args:
        folder: where it runs; files of the page are saved there.
        environment: all variables.
        users: the kubeconfig of each user that blocks name.
        shown: texts of this run, and what the documentation shows for each.
    """

    def __init__(
        self, folder: Path, environment: Mapping[str, str], users: Mapping[str, Path], shown: Mapping[str, str]
    ) -> None:
        self._folder = folder
        self._administrator = environment["KUBECONFIG"]
        self._users = users
        self._shown = shown
        self._process = subprocess.Popen(
            ["/bin/bash", "--noprofile", "--norc"],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._watchdog = threading.Timer(PATIENCE, self._process.kill)
        self._watchdog.start()
        self._send("set -eu -o pipefail")

    def close(self) -> None:
        """End it."""
        self._watchdog.cancel()
        self._process.kill()
        self._process.communicate()

    def save(self, file: File) -> None:
        """Save a file of the page, as the reader is told to."""
        path = self._folder / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text)

    def run(self, block: Block) -> str:
        """Run a block; one that only reads is repeated until it prints what is shown.

        Returns:
            What it printed.

        Raises:
            AssertionError: it ends with another exit code than the page says, or prints something else.
        """
        until = time.monotonic() + _SETTLES
        while True:
            code, output = self._run(block)
            for text, instead in self._shown.items():
                output = output.replace(text, instead)
            assert code is not None, f"the shell ended at:\n{block.text}\n{output}"
            absent = missing(block, output)
            if code == block.exit_code and not absent:
                return output
            if not reads(block.text) or time.monotonic() > until:
                assert code == block.exit_code, f"{block.text}\nended with {code}, not {block.exit_code}:\n{output}"
                raise AssertionError(f"{block.text}\nprinted no line (or not in this order) {absent}\nbut:\n{output}")
            time.sleep(_PAUSE)

    def _run(self, block: Block) -> tuple[int | None, str]:
        script, printed = self._folder / ".block.sh", self._folder / ".printed"
        script.write_text(block.text + "\n")
        printed.write_text("")
        kubeconfig = str(self._users[block.user]) if block.user else self._administrator
        self._send(f"export KUBECONFIG={shlex.quote(kubeconfig)}")
        source, to = f"source {shlex.quote(str(script))}", f"</dev/null >{shlex.quote(str(printed))} 2>&1"
        if block.exit_code or reads(block.text):
            # It may fail, and defines nothing: in a shell of its own.
            self._send(f"set +e; ( set -e; {source} ) {to}; ended=$?; set -e; echo done $ended")
        else:
            self._send(f"{source} {to}\necho done 0")
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("done "):
                return int(line.removeprefix("done ")), printed.read_text()
        return None, printed.read_text()

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()


def reads(text: str) -> bool:
    """Return whether a block only reads, so that it may be run again."""
    lines = _COMMENT.sub("", text).replace("\\\n", " ").splitlines()
    return all(_READING.match(line.strip()) for line in lines if line.strip())
