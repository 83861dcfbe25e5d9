"""What a SearchAccess may grant in Kibana: features in spaces."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from searchaccess.api.base import ApiModel, cel, matches, rules

SPACE_PATTERN = r"^([a-z0-9_-]+|[*])$"
"""The ID of a Kibana space, or ``*`` for all spaces."""
FEATURE_PATTERN = r"^[a-zA-Z0-9_-]+$"
"""The ID of a Kibana feature."""
MOST_FEATURES = 100
FEATURE_LENGTH = 100


class Level(StrEnum):
    """The level of access to Kibana features."""

    READ = "read"
    ALL = "all"


_BASE_OR_FEATURES = "set either base, for every feature, or features, such as {discover: read}"
_SPACES = "write the space's ID as in Kibana's address, such as default, or * alone for every space"
_EVERY_SPACE = "* matches every space: write it alone"
_FEATURES = "write a feature's ID as GET /api/features of Kibana shows it, such as discover or dashboard_v2"

Space = Annotated[
    str, Field(min_length=1, max_length=100, json_schema_extra=rules(cel(matches(SPACE_PATTERN), _SPACES)))
]


class KibanaGrant(ApiModel):
    """Allows Kibana features in spaces. Grants are additive."""

    model_config = ApiModel.model_config | {
        "json_schema_extra": rules(
            cel("has(self.base) != (has(self.features) && size(self.features) > 0)", _BASE_OR_FEATURES)
        )
    }

    spaces: Annotated[
        list[Space],
        Field(
            min_length=1,
            max_length=50,
            json_schema_extra=rules(
                cel("size(self) == 1 || !('*' in self)", _EVERY_SPACE), **{"x-kubernetes-list-type": "set"}
            ),
        ),
    ]
    """IDs of the spaces; `*` alone for every space."""

    base: Level | None = None
    """Access to every feature, including those of later Kibana releases: `read` or `all`."""

    features: Annotated[
        dict[str, Level],
        Field(
            max_length=MOST_FEATURES,
            json_schema_extra=rules(
                cel(f"self.all(name, size(name) <= {FEATURE_LENGTH} && name.matches('{FEATURE_PATTERN}'))", _FEATURES)
            ),
        ),
    ] = {}
    """Access to single features, by their IDs: `read` or `all`."""

    @model_validator(mode="after")
    def _says_what(self) -> "KibanaGrant":
        if (self.base is not None) == bool(self.features):
            raise ValueError(_BASE_OR_FEATURES)
        if "*" in self.spaces and len(self.spaces) > 1:
            raise ValueError(_EVERY_SPACE)
        return self
