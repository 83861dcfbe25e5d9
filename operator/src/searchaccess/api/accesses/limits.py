"""What callers may send through a gateway, as a SearchAccess declares it."""

from typing import Annotated

from pydantic import Field, model_validator

from searchaccess.api.base import ApiModel, Narrows, cel, rules
from searchaccess.api.clusters.gateway import BodySize, RequestRate
from searchaccess.api.vocabulary.apigroups import ApiGroup

_SET = {"x-kubernetes-list-type": "set"}
_BURST = "burst belongs to requestsPerSecond: write both, and burst not below it"
_NO_LIMITS = "say what is limited, such as requestsPerSecond: 10; or remove limits"

ApiGroups = Annotated[list[ApiGroup], Field(min_length=1, max_length=len(ApiGroup), json_schema_extra=_SET)]
"""Parts of Elasticsearch's API."""


class AccessLimits(ApiModel):
    """What the caller may send through the gateway.

    The strictest limits of all SearchAccesses of a caller apply to all its requests.
    """

    model_config = ApiModel.model_config | {
        "json_schema_extra": rules(
            cel(
                "!has(self.burst) || (has(self.requestsPerSecond) && self.burst >= self.requestsPerSecond)",
                _BURST,
            ),
            minProperties=1,
        )
    }

    requests_per_second: Annotated[RequestRate | None, Narrows("then the SearchCluster's limit applies")] = None
    """Requests in a second, on average, to all replicas of the gateway together."""

    burst: Annotated[RequestRate | None, Narrows("then it is twice requestsPerSecond")] = None
    """Requests at once. Defaults to twice `requestsPerSecond`."""

    max_body: Annotated[BodySize | None, Narrows("then the SearchCluster's limit applies")] = None
    """The largest body of a request, such as `10Mi`."""

    apis: Annotated[ApiGroups | None, Narrows("then every part of the API may be called")] = None
    """Parts of Elasticsearch's API that may be called (docs/api-groups.md). When absent: all parts; with the label
    `searchaccess.dev/workload: ai-agent`: `Documents`, `Search`, and `Bulk` if the caller may write."""

    @model_validator(mode="after")
    def _limits_something(self) -> "AccessLimits":
        if not self.model_fields_set:
            raise ValueError(_NO_LIMITS)
        rate = self.requests_per_second
        if self.burst is not None and (rate is None or self.burst < rate):
            raise ValueError(_BURST)
        return self
