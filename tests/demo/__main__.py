"""`make demo`: the product on real servers, step by step. `KEEP=1` leaves them running to play with.

`GATEWAY=1` shows it on a Basic license, with the gateway.
"""

import os
import re
import signal
import sys
import time
import traceback
from functools import partial
from types import FrameType

import httpx
from rich.text import Text

from tests.demo.screen import Screen, new_console
from tests.demo.stage import DemoError, Stage
from tests.demo.steps import declaring, disturbing, gateway, keeping, opening
from tests.stack.build import BuildDisplay, BuildError
from tests.stack.build_elasticsearch import ensure_elasticsearch_home
from tests.stack.build_kubernetes import ensure_kubernetes_binaries
from tests.stack.development import kept_issuer
from tests.stack.elasticsearch import ExternalElasticsearch
from tests.stack.kubernetes import KubectlError
from tests.stack.running.processes import ServerStartError
from tests.stack.stack import Stack
from tests.support.worlds.world import World

STEPS = (
    opening.start_servers,
    opening.install,
    opening.fill,
    opening.start_operator,
    declaring.declare,
    declaring.look,
    declaring.ask,
    disturbing.tamper,
    disturbing.revoke,
)
BEHIND_THE_GATEWAY = (
    opening.start_servers,
    opening.install,
    gateway.fill,
    gateway.start_operator,
    gateway.declare,
    declaring.look,
    partial(declaring.ask, callers=gateway.BEHIND),
    gateway.rotate,
    gateway.tamper,
    gateway.revoke,
)
FAILED, INTERRUPTED = 1, 130
_LONG = 500
_KNOWN = (DemoError, BuildError, KubectlError, httpx.HTTPError)


def main() -> int:
    console = new_console()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # SIGINT too: a shell's background job ignores it.
        signal.signal(number, _interrupt)
    keep, behind = _is_set("KEEP"), _is_set("GATEWAY")
    if behind and ExternalElasticsearch.is_configured():
        console.print(
            "GATEWAY=1 starts an Elasticsearch with a Basic license: unset SEARCHACCESS_TEST_ELASTICSEARCH_URL"
        )
        return FAILED
    stack = Stack(kept_issuer() if keep else None, "basic" if behind else "trial")
    stage = Stage(Screen(console), stack, gateway.GatewayWorld if behind else World)
    code = 1
    try:
        code = show(stage, keep=keep)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # A second Ctrl-C would leave something behind.
            signal.signal(number, signal.SIG_IGN)
        stage.close()
        stage.stack.stop(failed=code == FAILED)
    return code


def show(stage: Stage, *, keep: bool) -> int:
    """Show all steps; return the exit code. What goes wrong is said in a line."""
    try:
        return _show(stage, keep=keep)
    except KeyboardInterrupt:
        stage.screen.console.print("\nStopping.")
        return INTERRUPTED
    except httpx.HTTPStatusError as error:
        request, answer = error.request, error.response
        return _fail(stage, f"{request.method} {request.url}: {answer.status_code} {answer.text[:_LONG]}")
    except ServerStartError as error:
        return _fail(stage, _in_short(str(error)))
    except _KNOWN as error:
        return _fail(stage, str(error))
    except Exception as error:  # noqa: BLE001 - a person sees one line, and a file has the rest.
        file = stage.log_folder / "demo.log"
        file.write_text(traceback.format_exc())
        return _fail(stage, f"{type(error).__name__}: {error} ({file} has more)")


def _show(stage: Stage, *, keep: bool) -> int:
    started, console = time.monotonic(), stage.screen.console
    console.print(Text("Real servers, the real operator, no Docker and no cloud.", "bold"))
    who = "the gateway" if _is_set("GATEWAY") else "Elasticsearch's realm"
    console.print(f"Only Google is simulated: tokens are signed with a key that {who} trusts here.")
    console.print("Service accounts are those of acme-shop.iam.gserviceaccount.com.")
    display = BuildDisplay(console)
    ensure_kubernetes_binaries(display)
    if not ExternalElasticsearch.is_configured():
        ensure_elasticsearch_home(display=display)
    for step in BEHIND_THE_GATEWAY if _is_set("GATEWAY") else STEPS:
        step(stage)
    checks = stage.checks
    if checks.failed:
        return _fail(stage, f"{checks.failed} of {checks.total} expectations did not hold")
    console.print()
    console.print(Text(f"✓ All {checks.total} expectations held, in {time.monotonic() - started:.0f} s.", "bold green"))
    if keep:
        keeping.keep(stage)
    else:
        keeping.suggest(console, gateway=_is_set("GATEWAY"))
    return 0


def _is_set(name: str) -> bool:
    return os.environ.get(name, "") not in {"", "0", "no", "false"}


def _fail(stage: Stage, message: str) -> int:
    console = stage.screen.console
    console.print()
    console.print(Text(f"✗ {message}", "bold red"))
    if stage.has_operator:
        console.print(f"The operator's log: {stage.operator.log}", soft_wrap=True)
    return FAILED


def _in_short(message: str) -> str:
    """Return the first line of a message that ends with a log, and the first line of that log that reports an error."""
    first, *rest = message.splitlines()
    trouble = next((line for line in rest if re.search(r"exception:|error:|fatal", line, re.IGNORECASE)), "")
    return f"{first} {trouble}".strip()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
