"""The kind SearchAccessPolicy: what SearchAccesses may declare."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from searchaccess.api.base import ApiModel, Narrows, cel, rules
from searchaccess.api.policies.match import Match, SubjectPattern
from searchaccess.api.policies.rules import Allowed, Denied, Limits, Requirements
from searchaccess.api.status import SearchAccessPolicyStatus


class PolicyMode(StrEnum):
    """Whether a policy decides or only reports."""

    ENFORCE = "Enforce"
    AUDIT = "Audit"


class OnViolation(StrEnum):
    """What happens to rights that were granted before they were refused."""

    REVOKE = "Revoke"
    KEEP = "Keep"


class PolicyException(ApiModel):
    """A SearchAccess that a policy does not apply to, until a time."""

    namespace: Annotated[str, Field(min_length=1, max_length=63)]
    """Namespace of the SearchAccess."""
    name: Annotated[str, Field(min_length=1, max_length=253)]
    """Name of the SearchAccess."""
    reason: Annotated[str, Field(min_length=1, max_length=500)]
    """Why, for those who review it. It is shown in the status of the SearchAccess."""
    until: Annotated[str, Field(max_length=40, json_schema_extra={"format": "date-time"})]
    """When it ends (RFC 3339), such as `2027-01-31T00:00:00Z`."""


_SAYS_NOTHING = "say what is allowed: at least one of allow, deny, subjects, require and limits"


class SearchAccessPolicySpec(ApiModel):
    """What is allowed, to whom.

    A SearchAccess must satisfy every policy that applies to it.
    """

    model_config = ApiModel.model_config | {
        "json_schema_extra": rules(
            cel(
                "has(self.allow) || has(self.deny) || has(self.subjects) || has(self.require) || has(self.limits)",
                _SAYS_NOTHING,
            )
        )
    }

    match: Match | None = None
    """Which SearchAccesses it applies to; every one when absent."""

    mode: PolicyMode = PolicyMode.ENFORCE
    """`Enforce`: what does not pass gets no rights. `Audit`: it gets them, and the status shows the violations."""

    on_violation: OnViolation = OnViolation.REVOKE
    """What happens to the rights of a SearchAccess that is no longer accepted, because it or the policy changed.
    `Revoke`: they are revoked. `Keep`: they stay as they are, and nothing new is granted."""

    allow: Annotated[
        Annotated[list[Allowed], Field(min_length=1, max_length=50)] | None,
        Narrows("then every action is allowed on every index"),
    ] = None
    """What may be granted: each action of a grant on each of its indices must be allowed by some of these together.
    A pattern passes if every name that it matches is allowed. When absent, indices are not limited."""

    deny: Annotated[
        Annotated[list[Denied], Field(min_length=1, max_length=50)] | None, Narrows("then nothing is denied")
    ] = None
    """What may not be granted, whatever is allowed here or elsewhere."""

    subjects: Annotated[
        Annotated[list[SubjectPattern], Field(min_length=1, max_length=50)] | None,
        Narrows("then every subject may be named"),
    ] = None
    """Who may be named as subject; one of these must match. Without such a policy, whoever may write a SearchAccess can
    name any service account."""

    require: Annotated[Requirements | None, Narrows("then nothing is required")] = None
    """What a SearchAccess must have."""

    limits: Annotated[Limits | None, Narrows("then nothing is limited")] = None
    """How much a SearchAccess may have."""

    exceptions: Annotated[list[PolicyException], Field(min_length=1, max_length=100)] | None = None
    """SearchAccesses that the policy does not apply to, until a time."""

    @model_validator(mode="after")
    def _says_something(self) -> "SearchAccessPolicySpec":
        if not (self.allow or self.deny or self.subjects or self.require or self.limits):
            raise ValueError(_SAYS_NOTHING)
        return self


class SearchAccessPolicy(ApiModel):
    """Limits what SearchAccesses may declare."""

    spec: SearchAccessPolicySpec
    """What may be granted, and to whom."""
    status: SearchAccessPolicyStatus | None = None
    """The observed state. Written by the operator."""
