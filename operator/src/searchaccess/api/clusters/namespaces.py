"""Selects namespaces by name, or by labels as Kubernetes selectors do."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from searchaccess.api.base import ApiModel, Narrows, cel, rules


class SelectorOperator(StrEnum):
    """How a label is compared."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


LabelKey = Annotated[str, Field(min_length=1, max_length=317)]
LabelValue = Annotated[str, Field(max_length=63)]
_VALUES = "In and NotIn need values; Exists and DoesNotExist take none"


class LabelRequirement(ApiModel):
    """A requirement on a label, as in every selector of Kubernetes."""

    model_config = ApiModel.model_config | {
        "json_schema_extra": rules(
            cel("(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)", _VALUES)
        )
    }

    key: LabelKey
    """Key of the label."""
    operator: SelectorOperator
    """How it is compared."""
    values: Annotated[list[LabelValue], Field(max_length=50)] | None = None
    """Values to compare it with."""

    @model_validator(mode="after")
    def _has_values_where_needed(self) -> "LabelRequirement":
        if (self.operator in {SelectorOperator.IN, SelectorOperator.NOT_IN}) != bool(self.values):
            raise ValueError(_VALUES)
        return self


_EMPTY_SELECTOR = (
    "an empty selector would allow every namespace: add matchLabels or matchExpressions, or remove allowedNamespaces"
)


class LabelSelector(ApiModel):
    """Namespaces by their labels. All requirements must hold."""

    model_config = ApiModel.model_config | {
        "json_schema_extra": rules(
            cel(
                "(has(self.matchLabels) && size(self.matchLabels) > 0) "
                "|| (has(self.matchExpressions) && size(self.matchExpressions) > 0)",
                _EMPTY_SELECTOR,
            )
        )
    }

    match_labels: Annotated[
        Annotated[dict[str, LabelValue], Field(min_length=1, max_length=20)] | None,
        Narrows("then no label is needed"),
    ] = None
    """Labels that must be present, with these values."""
    match_expressions: Annotated[
        Annotated[list[LabelRequirement], Field(min_length=1, max_length=20)] | None,
        Narrows("then only matchLabels must hold"),
    ] = None
    """Further requirements on labels."""

    @model_validator(mode="after")
    def _says_something(self) -> "LabelSelector":
        if not (self.match_labels or self.match_expressions):
            raise ValueError(_EMPTY_SELECTOR)
        return self


_NO_NAMESPACES = "set names, selector or both"


class AllowedNamespaces(ApiModel):
    """Namespaces whose SearchAccesses may refer to a SearchCluster."""

    model_config = ApiModel.model_config | {
        "json_schema_extra": rules(cel("has(self.names) || has(self.selector)", _NO_NAMESPACES))
    }

    names: (
        Annotated[
            list[Annotated[str, Field(min_length=1, max_length=63)]],
            Field(min_length=1, max_length=200, json_schema_extra={"x-kubernetes-list-type": "set"}),
        ]
        | None
    ) = None
    """Namespaces by name."""

    selector: LabelSelector | None = None
    """Namespaces by their labels; with `names`, either is enough."""

    @model_validator(mode="after")
    def _says_which(self) -> "AllowedNamespaces":
        if not (self.names or self.selector):
            raise ValueError(_NO_NAMESPACES)
        return self
