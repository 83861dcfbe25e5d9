"""What is added has one place, and what is forgotten beside it is named: docs/architecture.md, "Where to add"."""

import importlib
import inspect
import os
import pkgutil
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, get_args

import pytest
import typer
from typer.testing import CliRunner

from searchaccess.api.conditions.docs import REASON_DOCS
from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.stores.credentials import SecretStoreSpec, Store
from searchaccess.api.vocabulary.actions import Action
from searchaccess.cli import generate
from searchaccess.cli.commands.table import Entry, Section
from searchaccess.cli.main import app
from searchaccess.cli.pages.completeness import PARTS, missing_commands, missing_parts
from searchaccess.core import policy
from searchaccess.core.model.restrictions import union
from searchaccess.core.policy import bypass
from searchaccess.core.policy.decision import CHECKS, AccessDecision, Inputs
from tests.contract.vocabulary.actionproofs import PROOFS, unproven

ROOT = Path(__file__).parents[3]

# An action

PRETENDED = """
    PRETEND = "pretend", ("maintenance",), "p", "refresh indices", "anything else"
"""


@pytest.fixture(scope="module")
def with_pretended_action(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package that has one action more."""
    folder = tmp_path_factory.mktemp("places")
    # With the bytecode, which is valid for files of the same size and time; not what others write at the moment.
    unfinished = shutil.ignore_patterns("*.pyc.*")
    shutil.copytree(ROOT / "operator/src/searchaccess", folder / "searchaccess", ignore=unfinished)
    table = folder / "searchaccess/api/vocabulary/actions.py"
    before, after = table.read_text().split("\n\nACTION_NAMES")
    table.write_text(f"{before}{PRETENDED}\n\nACTION_NAMES{after}")
    return folder


def test_make_verify_names_all_that_is_to_be_generated_for_an_action(with_pretended_action: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "searchaccess.cli.generate", "--check", str(ROOT)],
        env=os.environ | {"PYTHONPATH": str(with_pretended_action)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert {line.split()[0] for line in done.stdout.splitlines()} == {
        "crds/searchaccesses.yaml",
        "charts/searchaccess-operator/charts/crds/crds/searchaccesses.yaml",
        "crds/searchaccesspolicies.yaml",
        "charts/searchaccess-operator/charts/crds/crds/searchaccesspolicies.yaml",
        "docs/actions.md",
        "docs/api.md",
        "README.md",
    }


def test_an_action_without_requests_for_the_real_server_is_named() -> None:
    assert unproven(Action) == []
    assert [text.split()[:3] for text in unproven([*Action, "pretend"])] == [["the", "action", "pretend"]]
    assert set(PROOFS) == set(Action)


@pytest.mark.parametrize("action", Action)
def test_what_an_action_shows_of_documents_is_judged(action: Action) -> None:
    judged = union._NO_DOCUMENTS | bypass._READING | bypass._UPDATING
    unknown = set(action.privileges) - judged
    assert not unknown, f"say in restrictions/union.py or policy/bypass.py whether {unknown} of {action} read"


def test_only_the_action_read_reads() -> None:
    reading = [action for action in Action if bypass._READING & set(action.privileges)]
    assert reading == [Action.READ], "api/searchaccess.py and restrictions/fields.py ask for Action.READ alone"


# A reason, a condition type, an event


def test_nothing_is_said_twice_or_not_at_all() -> None:
    assert missing_parts() == []


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part[0])
def test_what_has_no_entry_is_named_with_the_place_where_it_belongs(part: Any) -> None:
    kind, names, said, where = part
    [text] = missing_parts([(kind, [*names, "Pretend"], said, where)])
    assert text.startswith(f"the {kind} Pretend has no entry in {where}")


def test_make_generate_and_make_verify_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    reasons = ("reason", [*Reason, "Pretend"], REASON_DOCS, "here")
    monkeypatch.setattr(generate, "missing_parts", lambda: missing_parts([reasons]))
    command = typer.Typer()
    command.command()(generate.command)
    for option in ([], ["--check"]):
        done = CliRunner().invoke(command, [str(ROOT), *option])
        assert (done.exit_code, done.output.split(":")[0]) == (1, "the reason Pretend has no entry in here")


# A check


def modules_of(package: ModuleType) -> list[ModuleType]:
    names = [found.name for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")]
    return [importlib.import_module(name) for name in names]


def unlisted(modules: Iterable[ModuleType], listed: Iterable[Callable[..., Any]]) -> list[str]:
    """Return the functions that are checks and that nothing asks."""
    known = set(listed)
    return [
        f"{module.__name__}.{name} is a check that is not in CHECKS of core/policy/decision.py"
        for module in modules
        for name, one in vars(module).items()
        if inspect.isfunction(one) and one.__module__ == module.__name__ and one not in known
        if set(one.__annotations__.values()) == {Inputs, AccessDecision | None}
    ]


def test_a_check_that_is_in_no_place_of_the_chain_is_named() -> None:
    assert unlisted(modules_of(policy), CHECKS) == []
    [forgotten] = unlisted(modules_of(policy), CHECKS[1:])
    assert forgotten.startswith(f"{CHECKS[0].__module__}.{CHECKS[0].__name__} is a check")


# A store


def untested(kinds: Iterable[type], tests: str) -> list[str]:
    """Return the stores that no contract test opens."""
    return [
        f"{kind.__name__}: put it into tests/contract/stores/test_stores.py or test_versioned_stores.py"
        for kind in kinds
        if kind.__name__.removesuffix("Store") not in tests
    ]


def test_a_store_that_is_no_kind_or_that_the_contract_leaves_out_is_named() -> None:
    fields = [field for name, field in SecretStoreSpec.model_fields.items() if name != "name"]
    declared = {kind for field in fields for kind in get_args(field.annotation)} - {type(None)}
    assert declared == set(get_args(Store)), "SecretStoreSpec and Store in api/stores/credentials.py differ"
    tests = "".join(path.read_text() for path in (ROOT / "tests/contract").rglob("test_*stores.py"))
    assert untested(declared, tests) == []
    assert untested([*declared, type("PretendStore", (), {})], tests) == [
        "PretendStore: put it into tests/contract/stores/test_stores.py or test_versioned_stores.py"
    ]


# A command


def unshown(commands: Iterable[str], pages: str) -> list[str]:
    """Return the commands that no page shows."""
    return [f"no page of docs/ has `searchaccess {name}`" for name in commands if f"searchaccess {name}" not in pages]


def test_a_command_that_no_page_shows_or_that_says_nothing_of_itself_is_named() -> None:
    group = typer.main.get_group(app)
    pages = "".join(path.read_text() for path in [*(ROOT / "docs").glob("*.md"), ROOT / "README.md"])
    assert unshown(group.commands, pages) == []
    assert [name for name, command in group.commands.items() if not command.help] == []
    assert unshown([*group.commands, "pretend"], pages) == ["no page of docs/ has `searchaccess pretend`"]


@pytest.mark.parametrize(
    ("module", "says"),
    [
        (None, "of cli/commands/table.py has no module cli/commands/pretend.py"),
        ({}, "has no function `command` (or a group `app`) in cli/commands/pretend.py"),
        ({"command": print}, "has no Exit codes and Examples in EPILOG of cli/commands/pretend.py"),
        ({"command": print, "EPILOG": "Exit codes:"}, "has no Examples in EPILOG of cli/commands/pretend.py"),
    ],
    ids=["no module", "no function", "no epilog", "no examples"],
)
def test_make_generate_names_what_a_command_lacks(module: dict[str, Any] | None, says: str) -> None:
    def load(name: str) -> object:
        if module is None:
            raise ModuleNotFoundError(name=name)
        return SimpleNamespace(**module)

    entry = Entry("pretend", "pretend", "Pretend.", Section.INSPECT)
    [text] = missing_commands([entry], load)
    assert text.startswith(f"the command pretend {says}")
    assert missing_commands() == []
