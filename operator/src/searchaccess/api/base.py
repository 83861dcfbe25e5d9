"""What all models of the API share."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, TypeAlias, TypeVar, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, GetJsonSchemaHandler, ValidationError
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from searchaccess.api.docstrings import docstrings_of


class ApiModel(BaseModel):
    """A part of a kind: camelCase outside, snake_case inside, closed, immutable."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
    )

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return the JSON schema, in which the docstring below a field is its description."""
        schema = handler(core)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, field in cls.model_fields.items():
            own = (docstrings_of(kind) for kind in cls.__mro__ if issubclass(kind, ApiModel))
            if text := next((texts[name] for texts in own if name in texts), ""):
                properties[field.alias or name].setdefault("description", text)
        return schema

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object as Kubernetes stores it: camelCase, without absent values."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


Model = TypeVar("Model", bound=ApiModel)


@dataclass(frozen=True, slots=True)
class Narrows:
    """Marks an optional field without which more is granted, or for longer.

    A null would count as absent, so it is refused. The API server drops nulls before it validates an object, and treats
    them as absent in CEL. Where the schema says ``nullable``, it keeps them, so that the operator can refuse them.

    Args:
        without: what holds without the field.
    """

    without: str

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Let the API server keep a null."""
        return handler(core) | {"nullable": True}


def null_message(without: str = "") -> str:
    """Return why a null is refused.

    Args:
        without: what holds without the field; empty: nothing that matters.
    """
    return "null is not a value: write one, or remove the line" + (f" ({without})" if without else "")


@dataclass(frozen=True, slots=True)
class ReadsAs:
    """The value of a required field whose written value cannot be read."""

    value: Any


def understood(model: type[Model], raw: object) -> Model | None:
    """Read a value that another version, or anybody else, may have written; keep what can be read.

    Unknown fields are ignored. A value that a field does not accept counts as absent: a list item, a part, or the
    field. If a required field cannot be read, its whole part is absent, unless the field has a ``ReadsAs``.

    Args:
        model: the model to read it as.
        raw: a JSON value of any shape.

    Returns:
        A valid model, which can be written again; None: nothing could be read.
    """
    if not isinstance(raw, Mapping):
        return None
    try:
        return model.model_validate(raw, extra="ignore", by_alias=True, by_name=False)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=False, include_input=False)
    wrong = {item["loc"][0] for item in errors}
    known: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        key = field.alias or name
        value = raw.get(key) if key not in wrong else _understood_as(field.annotation, field.metadata, raw.get(key))
        if value is None and field.is_required():
            value = next((item.value for item in field.metadata if isinstance(item, ReadsAs)), None)
            if value is None:
                return None
        if value is not None:
            known[key] = value
    return model.model_validate(known, extra="ignore")


def _understood_as(annotation: Any, metadata: Iterable[Any], value: object) -> Any:
    """Return what can be read of a value that its field does not accept; None: nothing."""
    arguments = get_args(annotation)
    origin = get_origin(annotation)
    if origin is Annotated:
        return _understood_as(arguments[0], (*metadata, *arguments[1:]), value)
    if origin in {Union, UnionType}:
        inner = next(item for item in arguments if item is not NoneType)
        return _understood_as(inner, metadata, value)
    if origin is list and isinstance(value, list):
        items = [_item(arguments[0], item) for item in value]
        return [item for item in items if item is not None][: min(_limits(metadata), default=None)]
    return _item(annotation, value) if isinstance(annotation, type) and issubclass(annotation, ApiModel) else None


def _item(kind: Any, value: object) -> Any:
    if issubclass(kind, ApiModel):
        return understood(kind, value)
    return value if isinstance(value, kind) else None


def _limits(metadata: Iterable[Any]) -> Iterator[int]:
    for item in metadata:
        if isinstance(item, FieldInfo):
            yield from _limits(item.metadata)
        elif isinstance(most := getattr(item, "max_length", None), int):
            yield most


def parts_of(annotation: Any) -> type[ApiModel] | None:
    """Return the model that a field has, or a list of; None: it has none."""
    if isinstance(annotation, type) and issubclass(annotation, ApiModel):
        return annotation
    # A union's members, a list's items, an annotation's own type.
    return next((found for item in get_args(annotation) if (found := parts_of(item)) is not None), None)


def cel(rule: str, message: str) -> dict[str, Any]:
    """Return one CEL rule in the form of ``x-kubernetes-validations``.

    Args:
        rule: a CEL expression over ``self`` that is true for what is allowed.
        message: what to write instead.
    """
    return {"rule": rule, "message": message}


def matches(pattern: str) -> str:
    """Return the CEL expression that matches ``self`` against a regular expression (RE2)."""
    escaped = pattern.replace("\\", "\\\\").replace("'", "\\'")
    return f"self.matches('{escaped}')"


def rules(*items: dict[str, Any], **extra: Any) -> dict[str, Any]:
    """Return ``json_schema_extra`` that carries CEL rules (and other schema keywords)."""
    return {"x-kubernetes-validations": list(items), **extra}


COUNT_LIMIT = 2**53


def _countable(number: int) -> int:
    if not 0 <= number <= COUNT_LIMIT:
        raise ValueError("not a count")
    return number


Count: TypeAlias = Annotated[int, AfterValidator(_countable)]
"""A counter or a number of objects; small enough to add to without overflow."""
