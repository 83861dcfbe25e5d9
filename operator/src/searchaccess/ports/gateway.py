"""What the engine needs to run a gateway: its objects in Kubernetes, its pods, and its address."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.gateway.facts import Pod
from searchaccess.core.gateway.objects import Observed, Target, Wanted
from searchaccess.core.gateway.proof import Answer


class GatewayObjects(Protocol):
    """A gateway's objects in Kubernetes. Every method makes one request and raises only ``ExternalError``."""

    async def read(self, target: Target) -> Observed | None:
        """Return an object; None: there is none."""

    async def write(self, wanted: Wanted, known: Observed | None) -> Observed:
        """Create an object, or change the one that was read.

        Args:
            wanted: as it should be. Labels and annotations of others stay.
            known: as it was read; None: it is created.

        Raises:
            Conflict: it was changed, deleted or created meanwhile.
        """

    async def mark(self, target: Target, known: Observed, annotations: Mapping[str, str]) -> None:
        """Change annotations of an object, if it is as it was read, and nothing else.

        Raises:
            Conflict: it was changed or deleted meanwhile.
        """

    async def delete(self, target: Target, known: Observed) -> None:
        """Delete an object, if it is as it was read; a missing one is fine.

        Raises:
            Conflict: it was changed meanwhile, or another one has its name.
        """

    async def pods(self, namespace: str, gateway: str) -> Sequence[Pod]:
        """Return the pods of a gateway that run, or are to run, also while they are being deleted; at most 200."""

    async def mark_pod(self, namespace: str, pod: str, mark: str) -> None:
        """Change an annotation of a pod, so that its kubelet looks for changed files now; a missing one is fine."""


class GatewayCalls(Protocol):
    """Requests to a gateway."""

    async def version_of(self, pod: Pod) -> str:
        """Return which configuration a pod has loaded; empty: none as a whole.

        Raises:
            ExternalError: it does not answer.
        """

    async def call(self, url: str, ca: str, headers: Mapping[str, str], token: Sealed | None) -> Answer:
        """Ask who a caller is to Elasticsearch, through the gateway. It never raises an ``ExternalError``.

        Args:
            url: the gateway's address.
            ca: certificates to trust in PEM form; empty: the system's.
            headers: to send.
            token: to send as a bearer token; None: none.
        """

    async def own_token(self, audience: str) -> Sealed | None:
        """Return an identity token of the operator's own; None: it has no identity of its own."""


@dataclass(frozen=True, slots=True)
class Gateways:
    """All that is needed to run gateways."""

    objects: GatewayObjects
    calls: GatewayCalls
