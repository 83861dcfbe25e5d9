"""Asks a gateway's pods what they have loaded, and has their kubelets write what is new into them at once.

Requests while all is well: each half a minute one for the pods and one to each of them. After a change one more for
each pod that has not loaded it yet.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import structlog

from searchaccess.api.clusters.gateway import Gateway
from searchaccess.api.times.moments import moment
from searchaccess.core.gateway.facts import Pod, PodAnswer, Pods, judge_pods
from searchaccess.core.gateway.refreshing import Current, refresh_mark
from searchaccess.core.status.credential import epoch
from searchaccess.engine.barrier import caught
from searchaccess.engine.beside import Beside
from searchaccess.engine.concurrency.tasks import all_of
from searchaccess.engine.gateway.config import Applied
from searchaccess.engine.gateway.reconcile import GatewayReconciler
from searchaccess.engine.gateway.removal import places_of
from searchaccess.engine.pacing.agenda import NEVER
from searchaccess.engine.pacing.wakeup import IDLE, Wakeup
from searchaccess.ports.errors import ExternalError, NotHolder, PermissionDenied, TransientError
from searchaccess.ports.gateway import Gateways

ASK_EVERY: Final = 30.0
"""Seconds between two questions to all pods while all have loaded the configuration."""
ASK_AGAIN: Final = 5.0
"""The same while some have not."""
ASK_SOON: Final = 1.0
"""The same shortly after it was written."""
SOON: Final = 20.0
"""Seconds for which that is so."""
AT_ONCE: Final = 8
"""Pods that are asked at once."""
REFUSED: Final = 600.0
"""Seconds for which nothing is marked after the API server refused that: kubelets also check on their own."""

log = structlog.get_logger(__name__)


class PodsWatcher:
    """Asks the pods of one SearchCluster's gateway.

    Args:
        beside: the SearchCluster.
        reconciler: writes the gateway's objects.
        answered: called when pods have answered something new.
    """

    def __init__(self, beside: Beside, reconciler: GatewayReconciler, answered: Callable[[], None]) -> None:
        self._beside = beside
        self._context = beside.context
        self._state = beside.state
        self._reconciler = reconciler
        self._answered = answered
        self._wakeup = Wakeup()
        self._asked: tuple[Applied, str] | None = None
        """What pods were last asked about: the configuration, and since when the login is in use."""
        self._next = float("-inf")
        """When they are asked again, by the monotonic clock."""
        self._short_since: float | None = None
        """Since when fewer pods run than are declared; None: there are enough."""
        self._unmarked_until = float("-inf")
        """Until when no pods are marked."""

    @property
    def is_busy(self) -> bool:
        """Whether pods are to be asked for the first time, and something waits for that."""
        known, applied = self._state.gateway, self._reconciler.config.applied
        waits = self._state.awaits_limits or self._state.awaits_gateway
        if not waits or known is None or applied is None or self._context.dry_run is not None:
            return False
        return known.pods is None and known.places[:1] == (str(applied.place),)

    def wake(self) -> None:
        """Check whether pods are to be asked."""
        self._wakeup.set()

    def publish_found(self) -> None:
        """Publish what was found; while the operator starts, only a new place: the rest is not known as a whole yet."""
        if self._beside.begun() or self._reconciler.awaits_record:
            self._beside.publish()

    async def run(self, gateways: Gateways) -> None:
        """Ask until cancelled.

        Args:
            gateways: what is needed to run gateways.
        """
        await self._wakeup.rounds(lambda: self._look(gateways))

    async def _look(self, gateways: Gateways) -> float:
        """Ask if it is time; return the seconds until it is again; infinity: not before a reconcile."""
        session, applied, clock = self._beside.session(), self._reconciler.config.applied, self._context.clock
        gateway, known = session.cluster.gateway if session else None, self._state.gateway
        if gateway is None or applied is None or known is None or known.places[:1] != (str(applied.place),):
            return NEVER
        login = self._reconciler.keeper.in_use
        about = applied, login.since if login else ""
        if about != self._asked or clock.monotonic() >= self._next:
            # Whatever happens, they are asked again.
            self._asked, self._next = about, clock.monotonic() + ASK_AGAIN
            try:
                await self._ask(gateways, gateway, applied)
            except Exception as error:  # noqa: BLE001 - the barrier between the gateway and everything else
                caught(self._context.meter, self._beside.name, "gateway", error)
            if self._state.gateway != known:
                self.publish_found()
                self._answered()
        return max(IDLE, self._next - clock.monotonic())

    def _finish_move(self) -> None:
        """Have role mappings of a realm deleted that nobody needs any longer: do not wait for the next sweep."""
        if self._state.awaits_gateway and self._state.gateway is not None and self._state.gateway.lets_in:
            self._state.awaits_gateway = False
            self._context.inventory.marks.mark_full(self._beside.name)

    async def _ask(self, gateways: Gateways, gateway: Gateway, applied: Applied) -> None:
        listed: Sequence[Pod] = ()
        try:
            found = await gateways.objects.pods(applied.place.namespace, applied.place.name)
        except ExternalError as error:
            pods = Pods(trouble=error.message)
        else:
            listed = [pod for pod in found if not pod.ends]
            answers = await self._answers(gateways, found)
            pods = Pods(
                tuple(answers[pod.name] for pod in listed if not pod.waits),
                ending=self._ending([(pod, answers[pod.name]) for pod in found if pod.ends]),
                waiting=tuple(f"{pod.name} ({pod.waits})" for pod in listed if pod.waits),
                former=await self._former_runs(gateways),
            )
        now_applied = self._reconciler.config.applied
        if now_applied is None or now_applied.place != applied.place:
            # It moved meanwhile: these pods say nothing about the new one.
            return
        since = max(0.0, epoch(self._context.clock.now()) - applied.since)
        replicas, short = gateway.replicas, self._short_for(pods, gateway.replicas)
        judgement = judge_pods(pods, applied.version, since, str(applied.place), replicas=replicas, short=short)
        all_loaded = pods.have_all(applied.version)
        settled = all_loaded and not pods.ending
        after = ASK_EVERY if settled else ASK_SOON if since < SOON else ASK_AGAIN
        self._next = self._context.clock.monotonic() + after
        before = self._state.gateway
        if before is not None:
            serves = pods.have_any(self._reconciler.config.letting_in)
            self._state.gateway = replace(before, pods=pods, in_sync=judgement, serves=serves)
        self._reconciler.note_loaded()
        self._finish_move()
        if all_loaded and before and len(before.places) > 1:
            # Former gateways can go.
            self._reconciler.hurry()
            self._context.inventory.marks.dirty(self._beside.name).event.set()
        await self._mark(gateways, listed, pods, applied)

    async def _answers(self, gateways: Gateways, listed: Sequence[Pod]) -> dict[str, PodAnswer]:
        slots, now = asyncio.Semaphore(AT_ONCE), epoch(self._context.clock.now())

        async def ask(pod: Pod) -> PodAnswer:
            async with slots:
                try:
                    version = await gateways.calls.version_of(pod)
                except ExternalError as error:
                    return PodAnswer(pod.name, trouble=error.message)
            return PodAnswer(pod.name, version, seconds=_age(pod, now))

        answers = await all_of([ask(pod) for pod in listed if not pod.waits])
        return {answer.pod: answer for answer in answers}

    def _ending(self, asked: Sequence[tuple[Pod, PodAnswer]]) -> tuple[PodAnswer, ...]:
        """Return those of the pods that are being deleted that may still serve: until their grace period is over.

        What one last reported counts if it does not answer any more: it loads nothing new.
        """
        before = self._state.gateway.pods if self._state.gateway else None
        known = {one.pod: one for one in (*before.answers, *before.ending)} if before else {}
        now = epoch(self._context.clock.now())
        found = []
        for pod, answer in asked:
            if not answer.trouble:
                found.append(answer)
            elif _may_run(pod, now):
                last = known.get(pod.name)
                found.append(replace(answer, version=last.version if last else ""))
        return tuple(found)

    async def _former_runs(self, gateways: Gateways) -> bool:
        """Return whether pods of a former gateway run, as far as they can be listed."""
        known = self._state.gateway
        for place in places_of(known.places[1:]) if known else ():
            try:
                found = await gateways.objects.pods(place.namespace, place.name)
                if any(not pod.waits and _may_run(pod, epoch(self._context.clock.now())) for pod in found):
                    return True
            except TransientError:
                return True
            except ExternalError:
                continue
        return False

    def _short_for(self, pods: Pods, replicas: int) -> float:
        """Return for how many seconds fewer pods have run than are declared, as far as this process knows."""
        now = self._context.clock.monotonic()
        if pods.trouble or len(pods.answers) >= replicas:
            self._short_since = None
            return 0.0
        self._short_since = now if self._short_since is None else self._short_since
        return now - self._short_since

    async def _mark(self, gateways: Gateways, listed: Sequence[Pod], pods: Pods, applied: Applied) -> None:
        """Mark pods that may lack what was written: a kubelet looks when a pod changes, and once a minute otherwise.

        What cannot be marked arrives later.
        """
        if self._context.clock.monotonic() < self._unmarked_until:
            return
        current = Current(applied.version, applied.since, self._reconciler.keeper.in_use)
        now, answers = epoch(self._context.clock.now()), {answer.pod: answer for answer in pods.answers}
        for pod in listed:
            mark = refresh_mark(pod, answers.get(pod.name), current, now)
            if not mark:
                continue
            try:
                await gateways.objects.mark_pod(applied.place.namespace, pod.name, mark)
            except NotHolder:
                return
            except PermissionDenied as error:
                log.info("pods of the gateway cannot be marked, so changes take longer", error=error.message)
                self._unmarked_until = self._context.clock.monotonic() + REFUSED
                return
            except ExternalError as error:
                log.info("a pod of the gateway cannot be marked", pod=pod.name, error=error.message)


def _may_run(pod: Pod, now: float) -> bool:
    """Return whether a pod is not being deleted, or its grace period is not over."""
    if not pod.ends:
        return True
    ends = moment(pod.ends)
    return ends is not None and now < ends


def _age(pod: Pod, now: float) -> float:
    """Return for how many seconds a pod has been running; infinity: not known."""
    try:
        return max(0.0, now - epoch(pod.started))
    except ValueError:
        return float("inf")
