"""Asks a gateway's pods what they have loaded, and tests the gateway, in the background: nothing waits for that.

Requests while all is well: each half a minute one for the pods and one to each of them; each ten minutes five or six
through the gateway, one for settings, and two to each address of Elasticsearch.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final, TypeVar

import structlog

from searchaccess.api.clusters.gateway import Gateway
from searchaccess.core.clusters.connection import Connection
from searchaccess.core.clusters.proof import undeclared
from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.gateway.facts import GatewayFacts, Pod, PodAnswer, Pods, judge_pods
from searchaccess.core.gateway.login import connection_as, parts_of
from searchaccess.core.gateway.proof import (
    OTHER,
    SMUGGLED,
    UNKNOWN_USER,
    Answer,
    Attempt,
    OldTokens,
    RunAsAnswers,
    email_in,
    forged,
    is_refused,
    judge_gateway,
    judge_run_as,
)
from searchaccess.core.status.credential import epoch
from searchaccess.engine.barrier import caught
from searchaccess.engine.gateway.reconcile import GatewayReconciler
from searchaccess.engine.gateway.removal import places_of
from searchaccess.engine.pacing.agenda import NEVER, Agenda
from searchaccess.engine.state import ClusterState, Context, Healthy, Session
from searchaccess.ports.elasticsearch import Connector
from searchaccess.ports.errors import ExternalError, TransientError
from searchaccess.ports.gateway import Gateways
from searchaccess.ports.tasks import first_error_alone

ASK_EVERY: Final = 30.0
"""Seconds between two questions to all pods while all have loaded the configuration."""
ASK_AGAIN: Final = 5.0
"""The same while some have not."""
AT_ONCE: Final = 8
"""Pods that are asked at once."""
PROVE_EVERY: Final = 600.0
"""Seconds between two tests of a gateway whose settings do not change: Elasticsearch logs each of them."""
PROVE_AGAIN: Final = 60.0
"""The same after one that did not succeed, or for a login whose password somebody may have changed."""
CONFIRM: Final = 20.0
"""Seconds after which a refused login is tried again: a restarting node refuses every login."""
IDLE: Final = 1.0
"""Seconds between two rounds at least."""
_PODS: Final = "pods"
_GATEWAY: Final = "gateway"
_RUN_AS: Final = "run as"

T = TypeVar("T")

log = structlog.get_logger(__name__)


class GatewayWatcher:
    """Observes the gateway of one SearchCluster from outside.

    Args:
        context: what all reconcilers share.
        name: of the SearchCluster.
        state: what its reconciler knows; receives what is found.
        reconciler: writes the gateway's objects.
        connector: opens connections with the gateway's own login.
        session: returns the open session; None: there is none.
        begun: returns whether the first reconcile is over, so that a status can be complete.
        publish: publishes the SearchCluster's status.
    """

    def __init__(
        self,
        context: Context,
        name: str,
        state: ClusterState,
        reconciler: GatewayReconciler,
        connector: Connector,
        session: Callable[[], Session | None],
        begun: Callable[[], bool],
        publish: Callable[[], None],
    ) -> None:
        self._context = context
        self._name = name
        self._state = state
        self._reconciler = reconciler
        self._connector = connector
        self._session = session
        self._begun = begun
        self._publish = publish
        self._agenda = Agenda(context.clock, PROVE_AGAIN, PROVE_AGAIN)
        self._news = asyncio.Event()
        """Set when there may be something to do."""
        self._keys: dict[str, object] = {}
        """What each part was last about."""
        self._tested_at = float("-inf")
        """When the login was last tested."""
        self._old_tokens = OldTokens()
        self._refusals = 0
        """How often in a row Elasticsearch refused the login."""
        self._short_since: float | None = None
        """Since when fewer pods run than are declared; None: there are enough."""

    @property
    def is_busy(self) -> bool:
        """Whether pods are to be asked for the first time, and rights wait for that."""
        known, applied = self._state.gateway, self._reconciler.config.applied
        if not self._state.awaits_limits or known is None or applied is None or self._context.dry_run is not None:
            return False
        return known.pods is None and known.places[:1] == (str(applied.place),)

    def wake(self) -> None:
        """Look for something to do after a reconcile, if there is a gateway. Without one there is no timer."""
        if self._state.gateway is not None:
            self._news.set()

    def reconciled(self) -> None:
        """Publish what was written while other things are still being done, such as a new place, and observe it."""
        self._publish_found()
        self.wake()

    def _publish_found(self) -> None:
        """Publish what was found; while the operator starts, only a new place: the rest is not known as a whole yet."""
        if self._begun() or self._reconciler.awaits_record:
            self._publish()

    async def run(self) -> None:
        """Observe until cancelled."""
        if self._context.gateways is None or self._context.dry_run is not None:
            return
        delay = NEVER
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(None if delay == NEVER else delay):
                    await self._news.wait()
            self._news.clear()
            delay = await self._look(self._context.gateways)
            if delay < NEVER:
                await asyncio.sleep(IDLE)
                delay -= IDLE

    async def _look(self, gateways: Gateways) -> float:
        """Observe what is due; return the seconds until something is due again; infinity: not before a reconcile."""
        session = self._open_session()
        gateway = session.cluster.gateway if session else None
        if session is None or gateway is None or self._reconciler.config.applied is None:
            return NEVER
        before = self._state.gateway
        try:
            await self._observe(gateways, session, gateway)
        except Exception as error:  # noqa: BLE001 - the barrier between the gateway and everything else
            caught(self._context.meter, self._name, "gateway", error)
        if self._state.gateway != before:
            self._publish_found()
        if self._state.awaits_gateway and self._state.gateway is not None and self._state.gateway.is_loaded:
            # Nobody needs the realm's role mapping any longer: do not wait for the next sweep.
            self._state.awaits_gateway = False
            self._context.inventory.marks.mark_full(self._name)
        return max(IDLE, min(self._agenda.delay(), self._suspected_after()))

    def _suspected_after(self) -> float:
        """Return the seconds until a login is tested whose password somebody may have changed; infinity: nobody."""
        if not self._reconciler.suspects:
            return NEVER
        return max(0.0, self._tested_at + PROVE_AGAIN - self._context.clock.monotonic())

    def _open_session(self) -> Session | None:
        """Return the session if requests may be sent now; None: they may not."""
        well = isinstance(self._state.health, Healthy) and self._context.ownership.held({self._name})
        return self._session() if well else None

    def _is_due(self, part: str, key: object) -> bool:
        """Return whether a part is due, by time or because it is about something else now."""
        changed, self._keys[part] = self._keys.get(part) != key, key
        return changed or part in self._agenda.due()

    async def _observe(self, gateways: Gateways, session: Session, gateway: Gateway) -> None:
        keeper, applied = self._reconciler.keeper, self._reconciler.config.applied
        if applied is None or self._state.gateway is None or self._state.gateway.places[:1] != (str(applied.place),):
            return
        if self._is_due(_PODS, applied):
            await self._ask_pods(gateways, gateway)
        known = self._state.gateway
        loaded = known.version if known and known.is_loaded else ""
        user = keeper.in_use.user if keeper.in_use else ""
        if self._is_due(_GATEWAY, (gateway, self._reconciler.config.ca, loaded)):
            await self._test_gateway(gateways, gateway)
        due = self._is_due(_RUN_AS, (session.connection, user, session.cluster.uid))
        if keeper.login is not None and (due or self._suspected_after() <= 0):
            self._reconciler.suspects, self._tested_at = False, self._context.clock.monotonic()
            await self._test_login(session, user, keeper.login)

    def _found(self, **found: object) -> None:
        known = self._state.gateway or GatewayFacts()
        self._state.gateway = replace(known, **found)  # type: ignore[arg-type]

    # Pods

    async def _ask_pods(self, gateways: Gateways, gateway: Gateway) -> None:
        applied = self._reconciler.config.applied
        if applied is None:
            return
        try:
            listed = await gateways.objects.pods(gateway.namespace, gateway.name)
        except ExternalError as error:
            pods = Pods(trouble=error.message)
        else:
            slots, now = asyncio.Semaphore(AT_ONCE), epoch(self._context.clock.now())

            async def ask(pod: Pod) -> PodAnswer:
                async with slots:
                    try:
                        version = await gateways.calls.version_of(pod)
                    except ExternalError as error:
                        return PodAnswer(pod.name, trouble=error.message)
                return PodAnswer(pod.name, version, seconds=_age(pod, now))

            answers = await _together([ask(pod) for pod in listed if not pod.waits])
            pods = Pods(
                tuple(answers),
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
        self._agenda.plan(_PODS, ASK_EVERY if all_loaded else ASK_AGAIN)
        before = self._state.gateway
        self._found(pods=pods, in_sync=judgement)
        self._reconciler.note_loaded()
        if all_loaded and before and len(before.places) > 1:
            # Former gateways can go.
            self._reconciler.hurry()
            self._context.inventory.marks.dirty(self._name).event.set()

    async def _former_runs(self, gateways: Gateways) -> bool:
        """Return whether pods of a former gateway run, as far as they can be listed."""
        known = self._state.gateway
        for place in places_of(known.places[1:]) if known else ():
            try:
                if any(not pod.waits for pod in await gateways.objects.pods(place.namespace, place.name)):
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

    # The gateway

    async def _test_gateway(self, gateways: Gateways, gateway: Gateway) -> None:
        calls, ca = gateways.calls, self._reconciler.config.ca
        own = await calls.own_token(gateway.audience)
        other = await calls.own_token(undeclared(gateway.audience)) if own else None
        sent: dict[Attempt, Sealed | None] = {
            Attempt.NO_TOKEN: None,
            Attempt.GARBAGE: Sealed("garbage"),
            Attempt.UNSIGNED: Sealed(forged(own.reveal() if own else "")),
        }
        if own and other:
            sent |= {Attempt.OTHER_AUDIENCE: other, Attempt.OWN: own}
        self._old_tokens = self._old_tokens.after(own, gateway.audience, self._context.clock.monotonic())
        if self._old_tokens.expired:
            sent[Attempt.EXPIRED] = self._old_tokens.expired

        async def attempt(kind: Attempt, token: Sealed | None) -> tuple[Attempt, Answer]:
            return kind, await calls.call(gateway.url, ca, SMUGGLED, token)

        answers = dict(await _together([attempt(kind, token) for kind, token in sent.items()]))
        email = email_in(own.reveal()) if own else ""
        judgement = judge_gateway(answers, self._context.operator.role_name(email), gateway.url)
        well = judgement[0] or (judgement[0] is None and own is None and all(one.status for one in answers.values()))
        self._agenda.plan(_GATEWAY, PROVE_EVERY if well else PROVE_AGAIN)
        self._found(verified=judgement)

    # Elasticsearch

    async def _test_login(self, session: Session, user: str, login: Sealed) -> None:
        """Log in to each address of Elasticsearch as the gateway does, without its pods."""
        parts = parts_of(login)
        if parts is None:
            return
        name, connection = parts[0], connection_as(session.connection, *parts)
        run_as = self._context.operator.role_name(UNKNOWN_USER)
        try:
            nodes = await session.port.nodes_without_run_as()
        except ExternalError:
            nodes = None
        answers = [await self._as_others(connection, url, run_as) for url in connection.urls]
        judgement = judge_run_as(answers, name, nodes)
        self._refusals = self._refusals + 1 if is_refused(answers) else 0
        self._agenda.plan(_RUN_AS, PROVE_EVERY if judgement[0] else CONFIRM if self._refusals == 1 else PROVE_AGAIN)
        self._found(run_as=judgement)
        if self._refusals > 1 and self._reconciler.keeper.in_use and self._reconciler.keeper.in_use.user == user:
            log.warning("the gateway's login is refused, and replaced", user=user)
            self._refusals = 0
            self._reconciler.keeper.refused = user
            self._reconciler.hurry()
            self._context.inventory.marks.dirty(self._name).event.set()

    async def _as_others(self, connection: Connection, url: str, run_as: str) -> RunAsAnswers:
        try:
            port = await self._connector.open(replace(connection, urls=(url,)), self._name)
        except ExternalError as error:
            return RunAsAnswers(url, Answer(trouble=error.message), Answer(trouble=error.message))
        try:
            return RunAsAnswers(url, await port.authenticate_as(run_as), await port.authenticate_as(OTHER))
        finally:
            await port.close()


def _age(pod: Pod, now: float) -> float:
    """Return for how many seconds a pod has been running; infinity: not known."""
    try:
        return max(0.0, now - epoch(pod.started))
    except ValueError:
        return float("inf")


async def _together(work: list[Awaitable[T]]) -> list[T]:
    """Do some work concurrently; return the results in order."""

    async def one(each: Awaitable[T]) -> T:
        return await each

    with first_error_alone():
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(each)) for each in work]
    return [task.result() for task in tasks]
