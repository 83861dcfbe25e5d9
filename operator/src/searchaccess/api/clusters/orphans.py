"""Rights that stay when their SearchAccess is deleted: whether they may, and which of them are to go."""

from typing import Annotated

from pydantic import Field, model_validator

from searchaccess.api.base import ApiModel, Narrows, cel, rules

REVOKE_LIMIT = 100

_ONE_WAY = "say which released rights: exactly one of namespace (with or without name) and role"


class ReleasedSelector(ApiModel):
    """Names released rights: by the SearchAccess that they were of, or by the role that has them."""

    model_config = ApiModel.model_config | {
        "json_schema_extra": rules(
            cel("has(self.namespace) != has(self.role) && (has(self.namespace) || !has(self.name))", _ONE_WAY)
        )
    }

    namespace: Annotated[str, Field(min_length=1, max_length=63)] | None = None
    """Namespace of the SearchAccess that they were of."""

    name: Annotated[
        Annotated[str, Field(min_length=1, max_length=253)] | None,
        Narrows("then those of every SearchAccess of the namespace are revoked"),
    ] = None
    """Its name; all of the namespace when absent."""

    role: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    """Name of the role, as `status.released` has it: for rights of which it is not known whose they were."""

    @model_validator(mode="after")
    def _says_which(self) -> "ReleasedSelector":
        if (self.namespace is None) == (self.role is None) or (self.name is not None and self.namespace is None):
            raise ValueError(_ONE_WAY)
        return self


class Orphans(ApiModel):
    """What becomes of rights that stay when their SearchAccess is deleted."""

    allowed: bool = False
    """Whether SearchAccesses may have `deletionPolicy: Orphan`, and whether rights stay when one is deleted in
    `mode: Observe`. Where it is false, such rights are revoked at deletion. What was released before stays, and stays
    listed in `status.released`."""

    revoke: Annotated[list[ReleasedSelector], Field(max_length=REVOKE_LIMIT)] = []
    """Released rights to take away: they are removed from Elasticsearch, and from `status.released`. It applies as long
    as it is written here, to what is released later too."""
