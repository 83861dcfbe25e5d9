"""Checks of the chart and other manifests that need no server: ``make chart-check``, for a hook before each commit.

What an API server says of them, and what the rendered objects do, is tested beside this.
"""

import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from tests.chart.test_chart import MATRIX
from tests.stack.build_go import HELM, ensure_program, is_built

ROOT: Final = Path(__file__).parents[2]
CHART: Final = ROOT / "charts" / "searchaccess-operator"
KUBERNETES: Final = "1.36.0"
MANIFESTS: Final = (
    "crds",
    "deploy",
    "examples",
    f"{CHART.relative_to(ROOT)}/charts",
    f"{CHART.relative_to(ROOT)}/files",
)


def find_helm() -> Path | None:
    """Return the Helm that the tests have built, or one of the machine; None: there is none yet."""
    if is_built(HELM):
        return ensure_program(HELM)
    found = shutil.which("helm")
    return Path(found) if found else None


def chart_problems(helm: Path, chart: Path = CHART) -> Iterator[str]:
    """Yield what is wrong with a chart, for each set of values that the tests have."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "values.yaml"
        for name, values in MATRIX.items():
            file.write_text(yaml.safe_dump(values))
            for command in (["lint", "--strict"], ["template", "searchaccess"]):
                done = subprocess.run(
                    [helm, *command, chart, "--kube-version", KUBERNETES, "--values", file],
                    env={"HOME": folder, "PATH": "/usr/bin:/bin"},
                    capture_output=True,
                    text=True,
                    check=False,
                )
                if done.returncode:
                    yield f"helm {command[0]} with the values of {name!r}:\n{done.stdout}{done.stderr}"
                    break
                if command[0] == "template":
                    yield from (f"{problem} with the values of {name!r}" for problem in object_problems(done.stdout))


def object_problems(text: str) -> Iterator[str]:
    """Yield what no manifest may be: no YAML, not an object of Kubernetes, or there twice."""
    try:
        objects: list[Any] = [raw for raw in yaml.safe_load_all(text) if raw]
    except yaml.YAMLError as error:
        yield f"no YAML: {error}"
        return
    keys = Counter[tuple[str, str, str]]()
    for raw in objects:
        if not isinstance(raw, dict) or not {"apiVersion", "kind", "metadata"} <= set(raw):
            yield f"no object of Kubernetes: {str(raw)[:60]}"
            continue
        keys[raw["kind"], raw["metadata"].get("namespace", ""), raw["metadata"].get("name", "")] += 1
    yield from (f"{' '.join(key)} is there {times} times" for key, times in keys.items() if times > 1)


def file_problems(root: Path = ROOT) -> Iterator[str]:
    """Yield the files of manifests that are no YAML."""
    for folder in MANIFESTS:
        found = sorted((root / folder).rglob("*.yaml"))
        if not found:
            yield f"{folder} has no manifests: what is in MANIFESTS has moved"
        for path in found:
            try:
                list(yaml.safe_load_all(path.read_text()))
            except yaml.YAMLError as error:
                yield f"{path.relative_to(root)} is no YAML: {error}"


def main() -> int:
    """Print what is wrong; return the exit code."""
    problems, helm = list(file_problems()), find_helm()
    if helm is None:
        print("The chart is not rendered, as there is no Helm yet: `make test` builds one.")
    else:
        problems += chart_problems(helm)
    print("\n".join(problems) or "charts and manifests: fine")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
