"""Validates a spec against its model, and reports the first problem in a bounded message."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias, TypeVar

from pydantic import ValidationError

from searchaccess.api.base import ApiModel, Narrows, null_message, parts_of
from searchaccess.core.model.intake.bounds import excess
from searchaccess.core.model.intake.metadata import bounded_text
from searchaccess.core.model.intake.reading import mapping

MESSAGE_LIMIT: Final = 500
"""Characters of the message about a spec that cannot be applied, which may quote it."""
PART_LIMIT: Final = 80
"""Characters of one name in the path to what is wrong: the name of an unknown field may have any length."""
SPEC_DEPTH: Final = 140
"""Levels of a spec: more than a ``where`` may have, and what encloses it."""
SPEC_VALUES: Final = 2_000_000
"""More than fit into an object of 3 MB."""

_NOT_THERE: Final = object()
_WORDS: Final = {"extra_forbidden": "there is no such field"}
"""Messages that replace pydantic's, by the type of its error."""

_Fields: TypeAlias = tuple[tuple[str, type[ApiModel] | None, Narrows | None], ...]
_FIELDS: Final[dict[type[ApiModel], _Fields]] = {}
"""Of each model that was validated; finding them out takes longer than to validate most specs."""

Spec = TypeVar("Spec", bound=ApiModel)


def validated(model: type[Spec], given: Any, applied: str = "") -> tuple[Spec | None, str]:
    """Validate a spec against its model.

    Args:
        model: the model of the spec.
        given: the spec, as Kubernetes gives it; an absent one is as an empty one.
        applied: the object as given to ``kubectl apply``, from its annotation. It keeps nulls, which kubectl does not
            send.

    Returns:
        The spec, or None and the first problem.
    """
    if found := _null_in(model, given) or _dropped_null(model, given, applied):
        return None, bounded_text(found, MESSAGE_LIMIT)
    try:
        return model.model_validate(given or {}), ""
    except ValidationError as error:
        return None, _first_of(error)
    except (RecursionError, ValueError):
        # Python's enums show a value that they do not have in an error of theirs, however deep or long it is.
        found = excess(given, depth=SPEC_DEPTH, nodes=SPEC_VALUES) or "a value that cannot be shown"
        return None, f"spec: {found}"


def _null_in(model: type[ApiModel], given: Any, live: Any = _NOT_THERE, path: str = "spec") -> str:
    """Return what is wrong with the first null that stands for a field; empty: there is none.

    Args:
        model: the model of the part.
        given: the part, as somebody wrote it.
        live: the same part as stored. If given, only a dropped null counts whose absence grants more. Otherwise every
            null counts.
        path: to the part.
    """
    if not isinstance(given, Mapping):
        return ""
    fields = _FIELDS.get(model) or _FIELDS.setdefault(model, _fields_of(model))
    for key, inner, narrows in fields:
        if key not in given:
            continue
        value = given[key]
        if value is None:
            if live is _NOT_THERE or (narrows and isinstance(live, Mapping) and key not in live):
                return f"{path}.{key}: {null_message(narrows.without if narrows else '')}"
        elif inner is not None:
            there = live.get(key) if isinstance(live, Mapping) else live if live is _NOT_THERE else None
            for item, now, step in _items(value, there):
                if found := _null_in(inner, item, now, f"{path}.{key}{step}"):
                    return found
    return ""


def _fields_of(model: type[ApiModel]) -> _Fields:
    """Return each key of a field, the model that the field has, and what is granted without it."""
    return tuple(
        (
            key,
            parts_of(field.annotation),
            next((item for item in field.metadata if isinstance(item, Narrows)), None),
        )
        for name, field in model.model_fields.items()
        for key in sorted({field.alias or name, name})
    )


def _items(value: Any, live: Any) -> Iterator[tuple[Any, Any, str]]:
    """Yield the items of a list, each with its stored counterpart and its place, or the value itself."""
    if not isinstance(value, list):
        yield value, live, ""
        return
    for at, item in enumerate(value):
        now = live[at] if isinstance(live, list) and at < len(live) else live if live is _NOT_THERE else None
        yield item, now, f"[{at}]"


def has_null(applied: str) -> bool:
    """Return whether an object as given to ``kubectl apply``, as JSON, may have a null that kubectl did not send."""
    return '":null' in applied


def _dropped_null(model: type[ApiModel], given: Any, applied: str) -> str:
    if not has_null(applied):
        return ""
    try:
        written = json.loads(applied)
    except (ValueError, RecursionError):
        return ""
    return _null_in(model, mapping(written).get("spec"), given)


def _first_of(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    steps = (
        f"[{step}]" if isinstance(step, int) else f".{bounded_text(str(step), PART_LIMIT)}" for step in first["loc"]
    )
    message = _WORDS.get(first["type"], first["msg"].removeprefix("Value error, "))
    return bounded_text(f"spec{''.join(steps)}: {message}", MESSAGE_LIMIT)
