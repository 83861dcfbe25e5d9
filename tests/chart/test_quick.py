"""What `make chart-check` finds, without any server."""

import shutil
from pathlib import Path

import pytest

from tests.chart.quick import CHART, MANIFESTS, chart_problems, file_problems, object_problems

SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: x, namespace: y}\n"


def test_the_chart_and_all_manifests_are_fine(helm: Path) -> None:
    assert list(chart_problems(helm)) == []
    assert list(file_problems()) == []


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("templates/broken.yaml", "a: {{ .Values.a.b.c }}\n", "broken.yaml"),
        ("templates/broken.yaml", "a: [\n", "broken.yaml"),
        ("templates/broken.yaml", "a: b\n", "broken.yaml"),
        ("templates/broken.yaml", f"{SERVICE}---\n{SERVICE}", "Service y x is there 2 times"),
        ("values.yaml", "replicaCount: many\n", "replicaCount"),
    ],
    ids=["a value that is none", "no YAML", "no object", "an object twice", "values that the schema refuses"],
)
def test_what_is_wrong_with_a_chart_is_named(helm: Path, tmp_path: Path, file: str, text: str, said: str) -> None:
    shutil.copytree(CHART, tmp_path / "chart")
    (tmp_path / "chart" / file).write_text(text)
    found = "\n".join(chart_problems(helm, tmp_path / "chart"))
    assert said in found


def test_a_manifest_that_is_no_yaml_is_named(tmp_path: Path) -> None:
    for folder in MANIFESTS:
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "x.yaml").write_text("a: b\n")
    (tmp_path / "deploy" / "x.yaml").write_text("a: [\n")
    (tmp_path / "crds" / "x.yaml").unlink()
    missing, problem = file_problems(tmp_path)
    assert missing.startswith("crds has no manifests")
    assert problem.startswith("deploy/x.yaml is no YAML")
    assert list(object_problems("a: [")) != []
