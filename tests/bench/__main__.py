"""``make bench``: how fast, as ratios in one run. Nothing here fails for being slow."""

import argparse
import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rich.console import Console

from tests.bench import admission, answers, gateway, guardrails, scenarios
from tests.bench.report import Report
from tests.stack.stack import Stack
from tests.support.operatorprocess import ROOT
from tests.support.worlds.world import World

Say = Callable[[str], None]


def accesses(report: Report, say: Say, applied: int) -> None:
    """SearchAccesses on their way to Elasticsearch, by the operator as a process of its own."""
    with Stack() as stack:
        world = World(stack.kubernetes, stack.elasticsearch, Path(stack.kubernetes.log_folder))
        world.install()
        world.apply(world.cluster())
        operator = world.operator()
        operator.start()
        try:
            say(f"kubectl apply of {applied}")
            scenarios.kubectl_apply(world, report, applied)
            operator.stop()
            few = report.size // 5
            say(f"start with {few}")
            asyncio.run(scenarios.start_with_many(world, report, operator, few, "few", policy=False))
            operator.stop()
            say(f"start with {report.size}, finalizers put in place by the API server")
            world.kubernetes.run_kubectl("apply", "-f", str(ROOT / "deploy" / "finalizer-policy.yaml"))
            time.sleep(5)  # The API server takes new policies up within seconds, and tells nobody.
            asyncio.run(scenarios.start_with_many(world, report, operator, report.size, "many", policy=True))
            say("tampering")
            scenarios.tamper(world, report)
            say("one new access")
            scenarios.one_new(world, report)
            say("restart in sync")
            scenarios.restart(world, report, operator)
            say("at rest")
            scenarios.steady(world, report, operator)
        finally:
            operator.stop()


def webhook(report: Report, say: Say, _applied: int) -> None:
    """What the admission webhook costs."""
    say("applies with the admission webhook")
    admission.measure(report)


def policies(report: Report, say: Say, _applied: int) -> None:
    """What policies cost."""
    say("policies")
    guardrails.measure(report)


def commands(report: Report, say: Say, _applied: int) -> None:
    """What answers of the command line cost."""
    answers.measure(report, say)


def gateways(report: Report, say: Say, _applied: int) -> None:
    """What the gateway costs."""
    gateway.measure(report, say)


PARTS: Final[dict[str, Callable[[Report, Say, int], None]]] = {
    "accesses": accesses,
    "admission": webhook,
    "policies": policies,
    "answers": commands,
    "gateway": gateways,
}


def main() -> None:
    """Run all scenarios and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--size", type=int, default=5000, help="SearchAccesses that are present (default 5000)")
    parser.add_argument("--apply", type=int, default=500, help="manifests applied by kubectl (default 500)")
    parser.add_argument("--only", choices=PARTS, action="append", help="a part to run; may be repeated (default all)")
    parser.add_argument("--json", type=Path, default=Path("build/bench.json"), help="where figures go as JSON")
    options = parser.parse_args()
    console = Console(width=160)
    report = Report(options.size)
    started = time.monotonic()

    def say(text: str) -> None:
        console.print(f"[dim]{time.monotonic() - started:6.1f} s[/] {text}")

    try:
        for name in options.only or PARTS:
            PARTS[name](report, say, options.apply)
    finally:
        # Also what was measured before a failure.
        report.print(console)
        report.write(options.json)
        console.print(f"written to {options.json}")


if __name__ == "__main__":
    main()
