"""The part of a SearchAccess's status that names who else gives its principal rights."""

from typing import Annotated

from pydantic import Field

from searchaccess.api.base import ApiModel, Count, ReadsAs

SOURCES_LIMIT = 10
_NAME = Field(max_length=512)


class ExclusiveSource(ApiModel):
    """Somebody who gives the principal more than is declared, or its role to others; or may do so."""

    reason: Annotated[str, Field(max_length=316)]
    """What it does, or may do: a reason of the condition `Exclusive`."""
    kind: Annotated[str, Field(max_length=63)]
    """`RoleMapping`, `ApiKey`, `User`, `FileRole`, or `SearchAccess`."""
    name: Annotated[str, _NAME]
    """Name of the role mapping, user, or role in a file, id of the API key, or `namespace/name` of the SearchAccess."""
    role: Annotated[str, _NAME] | None = None
    """Role that it gives."""
    message: Annotated[str, ReadsAs("")]
    """The same in a sentence, with what that adds."""


class ExclusiveStatus(ApiModel):
    """Who else gives the principal rights."""

    sources: Annotated[list[ExclusiveSource], Field(max_length=SOURCES_LIMIT)] = []
    """Those that add something, or may, at most 10: the most important reasons first, then by kind and name."""
    unlisted: Count = 0
    """Number of those beyond the 10."""
