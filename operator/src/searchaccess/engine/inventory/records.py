"""What the inventory has of each object, and what is to be looked at."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from searchaccess.core.clusters.cluster import Cluster
from searchaccess.core.model.access import Access
from searchaccess.core.status.access import AccessFacts, is_drifted, is_ready


@dataclass(frozen=True, slots=True)
class Gist:
    """What of a status is asked for again and again."""

    text: str
    generation: int | None
    ready: bool
    drifted: bool


@dataclass(slots=True)
class AccessRecord:
    """A SearchAccess as last seen."""

    access: Access
    status_json: str
    """Canonical JSON of its status: what it has, or is about to get."""
    confirmed: bool = False
    """It was deleted, and Elasticsearch confirmed that nothing is left of it."""
    published: tuple[AccessFacts, str] | None = None
    """A failure, and the status that was made of it: made of the same once more, it would be the same."""
    _gist: Gist | None = None

    @property
    def status(self) -> dict[str, Any]:
        """The status."""
        return json.loads(self.status_json) if self.status_json else {}

    @property
    def gist(self) -> Gist:
        """What of the status is asked for again and again; read once for each status."""
        gist = self._gist
        if gist is None or gist.text is not self.status_json:
            status = self.status
            gist = Gist(self.status_json, status.get("observedGeneration"), is_ready(status), is_drifted(status))
            self._gist = gist
        return gist


@dataclass(slots=True)
class ClusterRecord:
    """A SearchCluster as last seen."""

    cluster: Cluster
    status_json: str

    @property
    def status(self) -> dict[str, Any]:
        """The status."""
        return json.loads(self.status_json) if self.status_json else {}


@dataclass(slots=True)
class Dirty:
    """What a reconciler is to look at."""

    principals: set[str] = field(default_factory=set)
    credentials: set[str] = field(default_factory=set)
    """Uids of SearchAccesses whose API keys are to be looked at."""
    everything: bool = False
    cluster: bool = False
    """The SearchCluster itself changed."""
    event: asyncio.Event = field(default_factory=asyncio.Event)

    def __bool__(self) -> bool:
        return self.everything or self.cluster or bool(self.principals) or bool(self.credentials)
