"""The demo's middle: access is declared, kubectl shows it, and Elasticsearch enforces it."""

import time
from collections.abc import Sequence

from rich.text import Text

from tests.demo import manifests
from tests.demo.calls import CALLERS, SEARCH, Caller
from tests.demo.screen import command
from tests.demo.stage import Stage
from tests.support.operatorprocess import ROOT

_SHOWN = ("get searchaccess -A", "get searchaccess -A -o wide", "get searchcluster")


def declare(stage: Stage) -> None:
    files = manifests.access_files()
    with stage.screen.step("Declare who may do what") as page, stage.world.caller("shop-web") as caller:
        page.show(command(f"kubectl apply {' '.join(f'-f {file.relative_to(ROOT)}' for file in files)}"))
        started = time.monotonic()
        printed = stage.kubectl("apply", *(f"--filename={file}" for file in files))
        applied = time.monotonic() - started
        stage.until(lambda: caller.get(SEARCH).is_success, lambda: "shop-web is not let in")
        effective = time.monotonic() - started
        page.show(Text(printed.strip()))
        page.gap()
        page.say(f"In force {effective:.1f} s after Enter; kubectl itself took {applied:.1f} s.", "green")
        for item in (item for file in files for item in manifests.objects_of(file)):
            observed = item["spec"].get("mode") == "Observe"
            reason = "ChangesPending" if observed else "InSync"
            metadata = item["metadata"]
            stage.until_settled("searchaccess", metadata["name"], metadata["namespace"], reason=reason)


def look(stage: Stage) -> None:
    with stage.screen.step("Look at it") as page:
        for arguments in _SHOWN:
            if arguments != _SHOWN[0]:
                page.gap()
            page.kubectl(arguments, stage.kubectl(*arguments.split()))


def ask(stage: Stage, callers: Sequence[Caller] = CALLERS) -> None:
    with stage.screen.step("Ask Elasticsearch, with an identity token of each service account") as page:
        page.show(stage.new_checks_table(head=True))
        for caller in callers:
            page.gap()
            page.show(Text.assemble((caller.name, "bold"), ("  " + caller.capacity, "cyan")))
            table = stage.new_checks_table()
            for call in caller.calls:
                with stage.world.caller(caller.name, **call.token) as client:
                    page.doing(f"{caller.name}: {call.method} {call.path}")
                    request = f"  {call.method} {call.path}"
                    stage.checks.add_row(table, request, call.expected, call.send(client), call.note)
            page.show(table)
        stage.world.admin.post("/orders-*/_refresh").raise_for_status()  # Later steps count what was written here.
