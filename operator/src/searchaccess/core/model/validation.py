"""Validates a spec against its model, and reports in a bounded message what is wrong."""

from typing import Any, Final, TypeVar

from pydantic import ValidationError

from searchaccess.api.base import ApiModel
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
    try:
        return model.model_validate(given or {}), ""
    except ValidationError as error:
        return None, _first_of(error)
    except (RecursionError, ValueError):
        # Python's enums show a value that they do not have in an error of theirs, however deep or long it is.
        found = excess(given, depth=SPEC_DEPTH, nodes=SPEC_VALUES) or "a value that cannot be shown"
        return None, f"spec: {found}"


def _first_of(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    where = ".".join(bounded_text(str(step), PART_LIMIT) for step in ("spec", *first["loc"]))
    return bounded_text(f"{where}: {first['msg']}", MESSAGE_LIMIT)
