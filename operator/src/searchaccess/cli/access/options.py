"""Reads arguments and options of the commands that answer who may do what."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import typer

from searchaccess.core.answers.access.actions import NoSuchActionError, Question, question_of
from searchaccess.core.model.intake.bounds import excess
from searchaccess.core.model.intake.reading import DEPTH

_MOST: Final = 100_000
_NOT_IN_NAMES: Final = frozenset('*?\\/,"<>| ')


def question_for(action: str, field: str = "", *, documents: bool = False) -> Question:
    """Return the question about an action.

    Args:
        action: as it was given.
        field: that must be shown; empty: any.
        documents: whether a document is asked about.

    Raises:
        typer.BadParameter: there is no such action, or it shows no documents although that is asked about.
    """
    try:
        question = question_of(action)
    except NoSuchActionError as error:
        raise typer.BadParameter(str(error), param_hint="ACTION") from None
    if (field or documents) and not question.reads:
        raise typer.BadParameter(f"{action} shows no documents", param_hint="--field" if field else "--document")
    return question


def index_of(text: str) -> str:
    """Return the name of an index, alias or data stream.

    Raises:
        typer.BadParameter: it is a pattern, or cannot be a name.
    """
    if ":" in text:
        hint = "of this cluster, without ::failures: ask with the action read_failure_store about a failure store"
        raise typer.BadParameter(f"write the name of an index {hint}, not {text!r}", param_hint="INDEX")
    # Bytes of another encoding are halves of characters here.
    is_text = text == text.encode(errors="replace").decode()
    if not text or not is_text or not _NOT_IN_NAMES.isdisjoint(text) or text != text.lower():
        raise typer.BadParameter(f"write the name of one index, without wildcards, not {text!r}", param_hint="INDEX")
    return text


def source_in(file: Path) -> Mapping[str, Any]:
    """Return the document in a file.

    Raises:
        typer.BadParameter: it is no JSON object, or too large.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        found = None
    if not isinstance(found, Mapping) or excess(found, depth=DEPTH, nodes=_MOST):
        raise typer.BadParameter(f"{file} has no JSON object that can be read", param_hint="--doc")
    return found
