"""Adds the fields of a dataclass to a command as options."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any


def taking(shared: Callable[..., Any], name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that adds options to a command.

    Args:
        shared: a dataclass whose fields are options, annotated as typer takes them.
        name: argument of the command that gets an instance of it.
    """
    kind = inspect.Parameter.KEYWORD_ONLY

    def decorated(command: Callable[..., None]) -> Callable[..., None]:
        own = [item for given, item in inspect.signature(command).parameters.items() if given != name]
        added = [
            inspect.Parameter(given, kind, default=item.default, annotation=item.annotation)
            for given, item in inspect.signature(shared).parameters.items()
        ]

        @wraps(command)
        def with_shared(**given: Any) -> None:
            command(**{name: shared(**{item.name: given.pop(item.name) for item in added})}, **given)

        # typer reads both.
        with_shared.__signature__ = inspect.Signature([*own, *added])  # type: ignore[attr-defined]
        with_shared.__annotations__ = {item.name: item.annotation for item in (*own, *added)}
        return with_shared

    return decorated
