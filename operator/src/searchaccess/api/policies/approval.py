"""The approval that a SearchAccessPolicy requires, and when it may be bypassed."""

from typing import Annotated

from pydantic import Field, model_validator

from searchaccess.api.base import ApiModel, Narrows, cel, rules
from searchaccess.api.times.durations import Duration, between

_SET = {"x-kubernetes-list-type": "set"}
Name = Annotated[str, Field(min_length=1, max_length=256)]
"""Name of a user or group, as the API server knows it."""
Names = Annotated[list[Name], Field(min_length=1, max_length=100, json_schema_extra=_SET)]

_SAY_WHO = "say who may approve: at least one of users and groups"


class Approvers(ApiModel):
    """Who may approve a SearchAccess."""

    model_config = ApiModel.model_config | {
        "json_schema_extra": rules(cel("has(self.users) || has(self.groups)", _SAY_WHO))
    }

    users: Names | None = None
    """Names of users, as `kubectl auth whoami` shows them."""

    groups: Names | None = None
    """Names of groups, as `kubectl auth whoami` shows them."""

    @model_validator(mode="after")
    def _says_who(self) -> "Approvers":
        if not (self.users or self.groups):
            raise ValueError(_SAY_WHO)
        return self


class BreakGlass(ApiModel):
    """Access without an approval, in an emergency."""

    lasts: Annotated[Duration, Field(alias="for", json_schema_extra=between("1m", "24h", "1h"))]
    """How long after the creation of the SearchAccess its rights end. No edit prolongs them."""


class ApprovalRule(ApiModel):
    """The approval that a SearchAccess needs: a SearchAccessApproval of another person."""

    by: Approvers
    """Who may approve: one of the users, or a member of one of the groups. Never the user who requested it."""

    within: Annotated[
        Annotated[Duration, Field(json_schema_extra=between("1m", "8760h", "1h"))] | None,
        Narrows("then an approval may come at any time"),
    ] = None
    """How long after the creation of the SearchAccess the approval must be created."""

    lasts: Annotated[Duration, Field(alias="for", json_schema_extra=between("1m", "8760h", "8h"))]
    """How long after the creation of the approval the rights end."""

    break_glass: BreakGlass | None = None
    """A SearchAccess with the annotation `searchaccess.dev/break-glass`, whose value is the reason, gets its rights
    without an approval. It must satisfy everything else that policies say. When absent, the annotation has no
    effect."""
