"""``make bench``: how fast, as ratios in one run. Nothing here fails for being slow."""

import argparse
import asyncio
import time
from pathlib import Path

from rich.console import Console

from tests.bench import admission, guardrails, scenarios
from tests.bench.report import Report
from tests.stack.stack import Stack
from tests.support.operatorprocess import ROOT
from tests.support.world import World


def main() -> None:
    """Run all scenarios and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--size", type=int, default=5000, help="SearchAccesses that are present (default 5000)")
    parser.add_argument("--apply", type=int, default=500, help="manifests applied by kubectl (default 500)")
    parser.add_argument("--json", type=Path, default=Path("build/bench.json"), help="where figures go as JSON")
    options = parser.parse_args()
    console = Console(width=160)
    report = Report(options.size)
    started = time.monotonic()

    def step(text: str) -> None:
        console.print(f"[dim]{time.monotonic() - started:6.1f} s[/] {text}")

    with Stack() as stack:
        world = World(stack.kubernetes, stack.elasticsearch, Path(stack.kubernetes.log_folder))
        world.install()
        world.apply(world.cluster())
        operator = world.operator()
        operator.start()
        try:
            step(f"kubectl apply of {options.apply}")
            scenarios.kubectl_apply(world, report, options.apply)
            operator.stop()
            few = options.size // 5
            step(f"start with {few}")
            asyncio.run(scenarios.start_with_many(world, report, operator, few, "few", policy=False))
            operator.stop()
            step(f"start with {options.size}, finalizers put in place by the API server")
            world.kubernetes.run_kubectl("apply", "-f", str(ROOT / "deploy" / "finalizer-policy.yaml"))
            time.sleep(5)  # The API server takes new policies up within seconds, and tells nobody.
            asyncio.run(scenarios.start_with_many(world, report, operator, options.size, "many", policy=True))
            step("tampering")
            scenarios.tamper(world, report)
            step("one new access")
            scenarios.one_new(world, report)
            step("restart in sync")
            scenarios.restart(world, report, operator)
            step("at rest")
            scenarios.steady(world, report, operator)
        finally:
            operator.stop()
    step("applies with the admission webhook")
    admission.measure(report)
    step("policies")
    guardrails.measure(report)
    report.print(console)
    report.write(options.json)
    console.print(f"written to {options.json}")


if __name__ == "__main__":
    main()
