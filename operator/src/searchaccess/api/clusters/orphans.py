"""Rights that stay when their SearchAccess is deleted: whether that is allowed, and which of them to revoke."""

from typing import Annotated

from pydantic import Field, model_validator

from searchaccess.api.base import ApiModel, Narrows, cel, rules

REVOKE_LIMIT = 100

_ONE_WAY = "set exactly one of namespace (with or without name) and role"


class ReleasedSelector(ApiModel):
    """Selects released rights by their former SearchAccess, or by the role that has them."""

    model_config = ApiModel.model_config | {
        "json_schema_extra": rules(
            cel("has(self.namespace) != has(self.role) && (has(self.namespace) || !has(self.name))", _ONE_WAY)
        )
    }

    namespace: Annotated[str, Field(min_length=1, max_length=63)] | None = None
    """Namespace of the former SearchAccess."""

    name: Annotated[
        Annotated[str, Field(min_length=1, max_length=253)] | None,
        Narrows("then those of every SearchAccess of the namespace are revoked"),
    ] = None
    """Name of the former SearchAccess; all of the namespace when absent."""

    role: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    """Name of the role, as in `status.released`: for rights whose former SearchAccess is not known."""

    @model_validator(mode="after")
    def _says_which(self) -> "ReleasedSelector":
        if (self.namespace is None) == (self.role is None) or (self.name is not None and self.namespace is None):
            raise ValueError(_ONE_WAY)
        return self


class Orphans(ApiModel):
    """What happens to rights that stay when their SearchAccess is deleted."""

    allowed: bool = False
    """Whether SearchAccesses may have `deletionPolicy: Orphan`, and whether rights stay when one is deleted in
    `mode: Observe`. If false, such rights are revoked at deletion. Rights that were released before stay, and stay
    listed in `status.released`."""

    revoke: Annotated[list[ReleasedSelector], Field(max_length=REVOKE_LIMIT)] = []
    """Released rights to revoke: they are removed from Elasticsearch and from `status.released`. An entry applies as
    long as it is listed here, also to rights that are released later."""
