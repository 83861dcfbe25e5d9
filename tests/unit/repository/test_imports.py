"""A wrong import fails `make lint`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
LINT = Path(sys.executable).with_name("lint-imports")


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages, and the contracts beside them."""
    folder = tmp_path_factory.mktemp("imports")
    without_caches = shutil.ignore_patterns("__pycache__")
    for package in ("operator/src/searchaccess", "client/src/searchaccess_client"):
        shutil.copytree(ROOT / package, folder / Path(package).name, ignore=without_caches)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def broken_contracts(folder: Path) -> list[str]:
    run = subprocess.run(
        [LINT, "--no-logo", "--no-cache"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Analyzed" in run.stdout, run.stdout + run.stderr
    broken = [line.partition(" BROKEN")[0] for line in run.stdout.splitlines() if " BROKEN" in line]
    assert run.returncode == bool(broken)
    return broken


CORE = "Subpackages of core import the model and what is below them"
ENGINE = "Subpackages of the engine import what is below them"
NEIGHBORS = "Independent subpackages of the engine do not import each other"
CLIENTS = "The engine and the decorators know no client"
KINDS = "Parts of kinds are below the kinds"
MODEL = "A SearchAccess is made of grants, restrictions and identities"
RULES = "Rules of policies know nothing of rulings and verdicts"
INVENTORY = "The inventory judges by what policies say"
WRONG: dict[str, tuple[str, str, list[str]]] = {
    "patterns import the model": ("core/patterns/parsed.py", "searchaccess.core.model.access", [CORE, MODEL]),
    "a part of a kind imports the kind": ("api/accesses/subjects.py", "searchaccess.api.searchaccess", [KINDS]),
    "a rule imports verdicts": (
        "core/policy/guardrails/rules/grants.py",
        "searchaccess.core.policy.guardrails.verdicts",
        [RULES],
    ),
    "the model imports a subpackage": (
        "core/model/grants/actions.py",
        "searchaccess.core.policy.decision",
        [CORE, MODEL],
    ),
    "a subpackage of core imports its neighbor": ("core/clusters/realm.py", "searchaccess.core.rights.diff", [CORE]),
    "a subpackage of the engine imports another": (
        "engine/rights/facts.py",
        "searchaccess.engine.identities.lookup",
        [ENGINE, NEIGHBORS],
    ),
    "a subpackage of the engine imports the loop": (
        "engine/credentials/steps.py",
        "searchaccess.engine.loop.check",
        [ENGINE],
    ),
    "the inventory imports rights, and so do all who import it": (
        "engine/inventory/records.py",
        "searchaccess.engine.rights.facts",
        [ENGINE, NEIGHBORS, INVENTORY],
    ),
    "an adapter imports another": (
        "adapters/vault/secrets.py",
        "searchaccess.adapters.kubernetes.secrets",
        ["Adapters do not know each other"],
    ),
    "a decorator imports the engine": (
        "decorators/paced.py",
        "searchaccess.engine.pacing.backoff",
        ["Imports point inward"],
    ),
    "a decorator imports a client": ("decorators/paced.py", "aiohttp", [CLIENTS]),
    "the operator imports the package for workloads": (
        "adapters/clock.py",
        "searchaccess_client",
        ["The operator does not use the client for workloads"],
    ),
    "the package for workloads imports the operator": (
        "../searchaccess_client/tokens.py",
        "searchaccess.api",
        ["The client for workloads stands alone"],
    ),
}


def test_the_imports_are_right(copied: Path) -> None:
    assert broken_contracts(copied) == []


@pytest.mark.parametrize(("module", "imported", "broken"), WRONG.values(), ids=WRONG)
def test_a_wrong_import_fails(copied: Path, module: str, imported: str, broken: list[str]) -> None:
    file = copied / "searchaccess" / module
    right = file.read_text()
    file.write_text(f"import {imported}\n{right}")
    try:
        assert broken_contracts(copied) == broken
    finally:
        file.write_text(right)


def test_a_subpackage_that_no_contract_names_fails(copied: Path) -> None:
    subpackage = copied / "searchaccess/core/extra"
    subpackage.mkdir()
    try:
        (subpackage / "__init__.py").touch()
        assert broken_contracts(copied) == [CORE]
    finally:
        shutil.rmtree(subpackage)
