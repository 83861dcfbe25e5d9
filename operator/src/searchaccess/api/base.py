"""What all models of the API share."""

from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class ApiModel(BaseModel):
    """A part of a kind: camelCase outside, snake_case inside, closed, immutable."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )

    def to_json(self) -> dict[str, Any]:
        """Give the JSON object as Kubernetes stores it: camelCase, without absent values."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def cel(rule: str, message: str) -> dict[str, Any]:
    """Give one CEL rule in the form of ``x-kubernetes-validations``.

    Args:
        rule: a CEL expression over ``self`` that is true for what is allowed.
        message: what to write instead.
    """
    return {"rule": rule, "message": message}


def matches(pattern: str) -> str:
    """Give the CEL expression that holds a regular expression (RE2) against ``self``."""
    escaped = pattern.replace("\\", "\\\\").replace("'", "\\'")
    return f"self.matches('{escaped}')"


def rules(*items: dict[str, Any], **extra: Any) -> dict[str, Any]:
    """Give ``json_schema_extra`` that carries CEL rules (and other schema keywords)."""
    return {"x-kubernetes-validations": list(items), **extra}
