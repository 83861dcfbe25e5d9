"""Validates a spec against its model, and reports in a bounded message what is wrong."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from searchaccess.api.base import ApiModel, Narrows, null_message, parts_of
from searchaccess.core.model.bounds import excess
from searchaccess.core.model.metadata import bounded_text

MESSAGE_LIMIT: Final = 500
"""Characters of the message about a spec that cannot be applied, which may quote it."""
PART_LIMIT: Final = 80
"""Characters of one name in the path to what is wrong: the name of an unknown field may have any length."""
SPEC_DEPTH: Final = 140
"""Levels of a spec: more than a ``where`` may have, and what encloses it."""
SPEC_VALUES: Final = 2_000_000
"""More than fit into an object of 3 MB."""

Spec = TypeVar("Spec", bound=ApiModel)


def validated(model: type[Spec], given: Any) -> tuple[Spec | None, str]:
    """Validate a spec against its model.

    Args:
        model: the model of the spec.
        given: the spec, as Kubernetes gives it; an absent one is as an empty one.

    Returns:
        The spec, or None and what is wrong first of all.
    """
    if found := _null_in(model, given):
        return None, bounded_text(found, MESSAGE_LIMIT)
    try:
        return model.model_validate(given or {}), ""
    except ValidationError as error:
        return None, _first_of(error)
    except (RecursionError, ValueError):
        # Python's enums show a value that they do not have in an error of theirs, however deep or long it is.
        found = excess(given, depth=SPEC_DEPTH, nodes=SPEC_VALUES) or "a value that cannot be shown"
        return None, f"spec: {found}"


def _null_in(model: type[ApiModel], given: Any, path: str = "spec") -> str:
    """Return what is wrong with the first null that stands for a field; empty: there is none.

    The API server drops nulls, or refuses them; files are read as they are.
    """
    if not isinstance(given, Mapping):
        return ""
    for name, field in model.model_fields.items():
        for key in {field.alias or name, name} & given.keys():
            value, place = given[key], f"{path}.{key}"
            if value is None:
                narrows = next((item for item in field.metadata if isinstance(item, Narrows)), None)
                return f"{place}: {null_message(narrows.without if narrows else '')}"
            inner = parts_of(field.annotation)
            if inner is None:
                continue
            several = enumerate(value) if isinstance(value, list) else [(None, value)]
            for at, item in several:
                if found := _null_in(inner, item, place if at is None else f"{place}[{at}]"):
                    return found
    return ""


def _first_of(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    where = ".".join(bounded_text(str(step), PART_LIMIT) for step in ("spec", *first["loc"]))
    return bounded_text(f"{where}: {first['msg']}", MESSAGE_LIMIT)
