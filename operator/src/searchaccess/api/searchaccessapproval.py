"""The kind SearchAccessApproval: a person agrees to a SearchAccess as it is now."""

from typing import Annotated

from pydantic import Field

from searchaccess.api.base import ApiModel, cel, rules
from searchaccess.api.policies.approval import Name, Names


class ApprovedBy(ApiModel):
    """The user who creates the approval. An admission policy compares it with the user of the request."""

    username: Name
    """Your name, as `kubectl auth whoami` shows it."""

    groups: Names | None = None
    """Those of your groups that the policy names. Each must be one of yours."""


class SearchAccessApprovalSpec(ApiModel):
    """What is approved, and by whom."""

    model_config = ApiModel.model_config | {
        "json_schema_extra": rules(
            cel("self == oldSelf", "an approval cannot be changed: delete it, and create another one")
        )
    }

    name: Annotated[str, Field(min_length=1, max_length=253)]
    """Name of the SearchAccess, in the namespace of the approval."""

    uid: Annotated[str, Field(min_length=1, max_length=64)]
    """`metadata.uid` of the SearchAccess: a recreated one needs another approval."""

    generation: Annotated[int, Field(ge=1)]
    """`metadata.generation` of the SearchAccess: an edited one needs another approval."""

    approved_by: ApprovedBy
    """Who approves."""

    reason: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    """Why, for those who review it."""


class SearchAccessApproval(ApiModel):
    """Approves one generation of a SearchAccess. Deleting it revokes the rights."""

    spec: SearchAccessApprovalSpec
    """What is approved, and by whom."""
