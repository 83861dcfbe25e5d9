"""What a SearchAccessPolicy requires of the limits of callers."""

from typing import Annotated

from pydantic import model_validator

from searchaccess.api.accesses.limits import ApiGroups
from searchaccess.api.base import ApiModel, Narrows
from searchaccess.api.clusters.gateway import BodySize, RequestRate

_NO_BOUNDS = "say what is required, such as requestsPerSecond: 10; or remove limits"


class RequiredLimits(ApiModel):
    """Limits that a SearchAccess must declare, at most as high as these."""

    model_config = ApiModel.model_config | {"json_schema_extra": {"minProperties": 1}}

    requests_per_second: Annotated[RequestRate | None, Narrows("then any rate is accepted")] = None
    """Highest `limits.requestsPerSecond`."""

    burst: Annotated[RequestRate | None, Narrows("then it is twice requestsPerSecond")] = None
    """Highest `limits.burst`. Defaults to twice `requestsPerSecond`."""

    max_body: Annotated[BodySize | None, Narrows("then any size is accepted")] = None
    """Highest `limits.maxBody`."""

    apis: Annotated[ApiGroups | None, Narrows("then any part of the API is accepted")] = None
    """The only parts of the API that `limits.apis` may name."""

    @model_validator(mode="after")
    def _requires_something(self) -> "RequiredLimits":
        if not self.model_fields_set:
            raise ValueError(_NO_BOUNDS)
        return self
