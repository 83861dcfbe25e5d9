"""Counts requests about gateways, and guards writes."""

from collections.abc import Mapping, Sequence

from searchaccess.core.gateway.facts import Pod
from searchaccess.core.gateway.objects import Observed, Target, Wanted
from searchaccess.decorators.measuring import Count, Guard, Measured
from searchaccess.ports.gateway import GatewayObjects


class MeasuredGateways(Measured):
    """Counts the operations on the objects of gateways.

    Args:
        real: performs them.
        count: counts operations.
        guard: called before each write; an error that it raises prevents the write.
    """

    def __init__(self, real: GatewayObjects, count: Count, guard: Guard | None = None) -> None:
        super().__init__(count, guard)
        self._real = real

    async def read(self, target: Target) -> Observed | None:
        """Return an object; None: there is none."""
        return await self._do("read_gateway_object", self._real.read, target)

    async def write(self, wanted: Wanted, known: Observed | None) -> Observed:
        """Create an object, or change the one that was read."""
        return await self._write("write_gateway_object", self._real.write, wanted, known)

    async def mark(self, target: Target, known: Observed, annotations: Mapping[str, str]) -> None:
        """Change annotations of an object, if it is as it was read."""
        await self._write("mark_gateway_object", self._real.mark, target, known, annotations)

    async def delete(self, target: Target, known: Observed) -> None:
        """Delete an object, if it is as it was read."""
        await self._write("delete_gateway_object", self._real.delete, target, known)

    async def pods(self, namespace: str, gateway: str) -> Sequence[Pod]:
        """Return the pods of a gateway that run and have an address."""
        return await self._do("list_gateway_pods", self._real.pods, namespace, gateway)

    async def mark_pod(self, namespace: str, pod: str, mark: str) -> None:
        """Change an annotation of a pod, so that its kubelet looks for changed files now."""
        await self._write("mark_gateway_pod", self._real.mark_pod, namespace, pod, mark)
