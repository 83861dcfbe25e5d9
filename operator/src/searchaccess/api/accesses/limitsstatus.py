"""The limits of a caller, as the status of a SearchAccess shows them."""

from typing import Annotated

from pydantic import Field

from searchaccess.api.base import ApiModel, Count

LIMITING_LIMIT = 10


class LimitsStatus(ApiModel):
    """What the caller may send through the gateway: the strictest of all its SearchAccesses."""

    requests_per_second: Count | None = None
    """Requests in a second; absent: any number."""
    burst: Count | None = None
    """Requests at once."""
    max_body: str
    """The largest body of a request."""
    apis: Annotated[list[str], Field(max_length=20)] | None = None
    """Parts of Elasticsearch's API that may be called; absent: all; empty: none."""
    limited_by: Annotated[list[str], Field(max_length=LIMITING_LIMIT)] | None = None
    """Other SearchAccesses that limit the caller more than this object does, as `namespace/name`; at most 10."""
    limits: Annotated[list[str], Field(max_length=LIMITING_LIMIT)] | None = None
    """Other SearchAccesses whose caller this object limits more than they do, as `namespace/name`; at most 10."""
