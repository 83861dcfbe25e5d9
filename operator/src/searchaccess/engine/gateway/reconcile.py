"""The loop about the gateway of one SearchCluster: observe, plan, apply, and record what was found.

Requests while nothing changes, in a minute: one for the ConfigMap, one for the Secret, two to Elasticsearch.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Final

import structlog

from searchaccess.api.clusters.gateway import Gateway
from searchaccess.api.clusters.status import PLACES_LIMIT
from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.status import Drift, SearchClusterStatus
from searchaccess.core.clusters.cluster import Cluster
from searchaccess.core.gateway.facts import GatewayFacts, Problem
from searchaccess.core.gateway.limits import default_limits
from searchaccess.core.gateway.loading import Loading
from searchaccess.core.gateway.objects import Place
from searchaccess.core.gateway.settings import CallerLimits
from searchaccess.core.messages import some_of
from searchaccess.core.status.credential import epoch
from searchaccess.core.status.drift import advance_drift
from searchaccess.engine.barrier import caught
from searchaccess.engine.gateway.callers import Callers
from searchaccess.engine.gateway.config import ConfigWriter
from searchaccess.engine.gateway.handover import hand_over_gateway
from searchaccess.engine.gateway.job import Job
from searchaccess.engine.gateway.login import LoginKeeper
from searchaccess.engine.gateway.removal import places_of, remove_gateway
from searchaccess.engine.pacing.agenda import NEVER, Agenda
from searchaccess.engine.state import ClusterState, Context, Scope, Session
from searchaccess.ports.errors import ExternalError, NotHolder
from searchaccess.ports.gateway import Gateways

READ_EVERY: Final = 60.0
"""Seconds between reads of a gateway's objects while nothing changes."""
SOONEST: Final = 1.0
"""Seconds between reads at least: what is left of an overlap may be a rounding error, which is no time to wait."""
RECORD: Final = 1.0
"""Seconds after which to see whether the status with a new place was stored."""
MOST_UNRECORDED: Final = 30
"""How often that is looked up before it is reported."""
_NOT_RECORDED: Final = (
    "the status does not list the gateway's place, so nothing is written: the CRD is older than the operator; apply it"
)
LOOK_BACK: Final = 5.0
"""Seconds for the answer to whether there was a configuration before this process."""
FIRST: Final = 1.0
CAP: Final = 60.0
"""Seconds of the first and of the longest back-off."""
_OBJECTS: Final = "objects"

log = structlog.get_logger(__name__)


class GatewayReconciler:
    """Reconciles the gateway of one SearchCluster.

    Args:
        context: what all reconcilers share.
        name: of the SearchCluster.
        state: what its reconciler knows; receives what is found.
    """

    def __init__(self, context: Context, name: str, state: ClusterState) -> None:
        self._context = context
        self._name = name
        self._state = state
        self._agenda = Agenda(context.clock, FIRST, CAP)
        self._agenda.plan(_OBJECTS, 0.0)
        self._callers = Callers(context.inventory, name)
        state.limits_differ = self._limits_differ
        self._loading = Loading()
        self._looked: Place | None = None
        """Where it was looked for a configuration of before this process."""
        self._of: object = None
        """What the last reconcile was about."""
        self.suspects = False
        """Whether somebody changed something in Elasticsearch since the login was tested: perhaps its password."""
        self._recorded: tuple[str, list[str]] = ("", [])
        """The stored status, and the places that it lists."""
        self._unrecorded = 0
        """How often in a row the stored status did not list the gateway's place."""
        self.config = ConfigWriter()
        self.keeper = LoginKeeper(context.clock)

    def delay(self) -> float:
        """Return the seconds until something is due; infinity: there is no gateway."""
        return self._agenda.delay() if self._state.gateway is not None else NEVER

    def hurry(self) -> None:
        """Let everything be due now."""
        self._agenda.plan(_OBJECTS, 0.0)

    @property
    def awaits_record(self) -> bool:
        """Whether nothing is written before a status with a new place is stored."""
        return self._unrecorded > 0

    async def knows_callers(self, session: Session) -> bool:
        """Return whether limits may be written before roles were read: nobody's are lifted by mistake."""
        if session.cluster.gateway is None or self._context.gateways is None:
            return True
        return await self._callers.are_known(session.state.uuid, self._context.operator)

    async def begin(self, session: Session) -> None:
        """Note the limits of callers before rights are planned: new rights wait for them.

        It takes a request once, for each place of a gateway that the status does not list.
        """
        gateway = session.cluster.gateway
        self._now(gateway)
        if gateway is not None and self._runs:
            await self._look_back(Place(gateway.namespace, gateway.name))
        self.note_loaded()

    async def _look_back(self, place: Place) -> None:
        """Look whether there was a configuration before this process: pods may have limits that it does not know."""
        gateways = self._context.gateways
        if gateways is None or self._looked == place:
            return
        before, self._looked = self._looked, place
        if str(place) in self._read_recorded():
            # It was written, or was about to be. Whoever deleted it since took nothing from pods that run.
            self._loading.look_back(found=True, first=before is None)
            return
        # Revocations wait for this. What is not found out may be there.
        with suppress(ExternalError, TimeoutError):
            async with asyncio.timeout(LOOK_BACK):
                found = await gateways.objects.read(place.config) is not None
            self._loading.look_back(found=found, first=before is None)

    @property
    def _runs(self) -> bool:
        """Whether gateways are written by this process, so that limits arrive in their pods."""
        return self._context.gateways is not None and self._context.dry_run is None

    def _now(self, gateway: Gateway | None) -> tuple[Mapping[str, CallerLimits], int]:
        """Return the limits of callers, and their number."""
        callers = self._callers.now(gateway)
        if gateway is None or not self._runs:
            # Nobody would write them, or say that they have arrived.
            self._loading, self._looked = Loading(), None
            return callers, 0
        return callers, self._loading.declare(callers, default_limits(gateway.limits))

    def _limits_differ(self, principal: str) -> bool:
        """Return whether a caller's limits were changed since ``begin``, so that no pod can have them."""
        return self._runs and self._callers.differ(principal)

    def note_loaded(self) -> None:
        """Find out whose limits have reached all pods: rights that waited for that are reconciled now."""
        known, state = self._state.gateway, self._state
        # Those of a former place say nothing about the one that is declared now.
        moved = known is not None and self._looked is not None and known.places[:1] != (str(self._looked),)
        pods, now = known.pods if known and not moved else None, epoch(self._context.clock.now())
        state.unlimited = self._loading.waiting(pods, now)
        state.nobody_limited = self._loading.everyone_waits(pods, now)
        released = set[str]() if state.nobody_limited else state.awaits_limits - state.unlimited
        state.awaits_limits -= released
        for principal in sorted(released):
            self._context.inventory.marks.mark(self._name, principal)

    async def reconcile(self, session: Session, scope: Scope) -> None:
        """Reconcile what is due. A failure shows in the status, and does not affect anything else.

        Args:
            session: the connected cluster.
            scope: what changed.

        Raises:
            NotHolder: another replica owns the SearchCluster.
        """
        gateways, gateway = self._context.gateways, session.cluster.gateway
        if gateways is None:
            return
        recorded = self._read_recorded()
        self.suspects = self.suspects or scope.full
        if gateway is None and not recorded:
            self._forget_written()
            self._state.gateway = None
            return
        if session.cluster.deleted_at:
            # Nothing is due any more: the loop would not rest until it is gone.
            self._agenda.forget(_OBJECTS)
            return
        callers, number = self._now(gateway)
        # Rights are being written meanwhile.
        self.note_loaded()
        if not self._is_due(session, gateway, callers, scope):
            return
        facts = self._state.gateway or GatewayFacts(tuple(recorded))
        try:
            problem = await self._try(gateways, session, gateway, (callers, number), recorded, facts)
        except (NotHolder, asyncio.CancelledError):
            # What is due was not done.
            self._of = None
            raise
        except ExternalError as error:
            problem = Problem(error.reason, f"gateway: {error.message}")
        except Exception as error:  # noqa: BLE001 - the barrier between the gateway and everything else
            failure = caught(self._context.meter, self._name, "gateway", error)
            problem = Problem(failure.reason, failure.message)
        if problem is not None:
            self._agenda.fail(_OBJECTS)
            self._state.gateway = replace(self._state.gateway or facts, problem=problem)

    def _is_due(
        self, session: Session, gateway: Gateway | None, callers: Mapping[str, CallerLimits], scope: Scope
    ) -> bool:
        key = (gateway, session.connection, session.cluster.rotate_requested, session.cluster.uid, callers)
        changed = key != self._of or scope.full
        if self._agenda.is_backing_off(_OBJECTS) and key == self._of:
            return False
        self._of = key
        return changed or _OBJECTS in self._agenda.due()

    def _read_recorded(self) -> list[str]:
        """Return the places that the status in Kubernetes certainly lists: nothing is written anywhere else."""
        record = self._context.inventory.clusters.get(self._name)
        text = record.stored_json if record else ""
        # Each reconcile asks, and the status can have thousands of lines: it is parsed when it changed.
        if self._recorded[0] is not text:
            gateway = SearchClusterStatus.parse(text).gateway
            self._recorded = (text, list(gateway.places) if gateway else [])
        return self._recorded[1]

    async def _try(
        self,
        gateways: Gateways,
        session: Session,
        gateway: Gateway | None,
        limits: tuple[Mapping[str, CallerLimits], int],
        recorded: list[str],
        facts: GatewayFacts,
    ) -> Problem | None:
        if gateway is None:
            return await self._retire(gateways, session, recorded)
        job = Job(self._context, gateways, session, gateway, limits[0])
        here = str(job.place)
        former = [place for place in dict.fromkeys((*facts.places, *recorded)) if place != here]
        facts = self._moved(facts, here, former)
        self._state.gateway = facts
        if len(facts.places) > PLACES_LIMIT:
            text = (
                f"there are {len(former)} former gateways, which stay until the declared one works: {some_of(former)}"
            )
            return Problem(Reason.IN_USE, text)
        if here not in recorded and self._context.dry_run is None:
            self._unrecorded += 1
            if self._unrecorded > MOST_UNRECORDED:
                return Problem(Reason.PENDING, _NOT_RECORDED)
            self._agenda.plan(_OBJECTS, RECORD)
            self._of = None
            return None
        self._unrecorded = 0
        await self._write(job, facts, former, limits[1])
        return None

    def _forget_written(self) -> None:
        self.config, self.keeper = ConfigWriter(), LoginKeeper(self._context.clock)

    def _moved(self, facts: GatewayFacts, here: str, former: list[str]) -> GatewayFacts:
        """Return what is still known if the gateway has another place now."""
        places = (here, *former)
        if facts.places and facts.places[0] != here:
            self._forget_written()
            self._loading.forget_written()
            return GatewayFacts(places, drift=facts.drift)
        return replace(facts, places=places)

    async def _write(self, job: Job, facts: GatewayFacts, former: list[str], number: int) -> None:
        shared = any(place.name == job.place.name for place in places_of(former))
        version, healed = facts.version, False
        try:
            version = await self.config.reconcile(job)
            if self.config.applied is not None:
                self._loading.wrote(version, number, self.config.applied.since)
                self.note_loaded()
            await self.keeper.reconcile(job, shared=shared)
            healed = True
        finally:
            self._state.operations += job.operations
            now = self._context.clock.now()
            if job.drift:
                log.warning("gateway drifted", objects=[f"{one.object} {one.path}" for one in job.drift[:10]])
            before = facts.drift or self._stored_drift()
            # The newest of the background's findings: it runs at the same time.
            known = self._state.gateway or facts
            self._state.gateway = replace(
                known,
                version=version,
                serves=known.pods is not None and known.pods.have_any(self.config.letting_in),
                login=self.keeper.in_use,
                rotated=self.keeper.rotated or known.rotated,
                problem=None,
                drift=advance_drift(tuple(job.drift), (), before, now, corrected=healed),
            )
            self.keeper.rotated = ""
        self._agenda.plan(_OBJECTS, max(SOONEST, min(READ_EVERY, self.keeper.after)))
        known = self._state.gateway
        if former and self._context.dry_run is None and known.is_loaded and known.login:
            await self._remove(job.gateways, job.session, places_of(former), [job.place])

    def _stored_drift(self) -> Drift | None:
        record = self._context.inventory.clusters.get(self._name)
        return record.status.drift if record else None

    async def _retire(self, gateways: Gateways, session: Session, recorded: list[str]) -> Problem | None:
        """Delete former gateways of a SearchCluster whose realm verifies callers now, once it grants rights."""
        known = self._state.gateway or GatewayFacts(tuple(recorded))
        self._forget_written()
        # Its pods may run on. If it is declared again, they have files of before.
        self._state.gateway = GatewayFacts(known.places, problem=known.problem, drift=known.drift)
        self._agenda.plan(_OBJECTS, READ_EVERY)
        if session.verdict.grants and self._context.dry_run is None:
            await self._remove(gateways, session, places_of(recorded), [])
        return None

    async def _remove(self, gateways: Gateways, session: Session, former: list[Place], kept: list[Place]) -> None:
        left = list(former)
        for place in former:
            left.remove(place)
            await remove_gateway(self._context, gateways, session, place, [*kept, *left])
        known = self._state.gateway or GatewayFacts()
        self._state.gateway = replace(known, places=tuple(map(str, kept)))

    async def hand_over(self, session: Session, heir: Cluster) -> None:
        """Hand the gateway over to another SearchCluster that declares one at the same place; delete it otherwise.

        Args:
            session: the connected cluster, of the SearchCluster that is being deleted.
            heir: the other one, for the same Elasticsearch.

        Raises:
            ExternalError: something could not be handed over or deleted; it is tried again.
        """
        gateways, declared = self._context.gateways, heir.gateway
        place = Place(declared.namespace, declared.name) if declared else None
        places = self._places()
        if gateways is None or place is None or place not in places or self._context.dry_run is not None:
            await self.remove(session)
            return
        await hand_over_gateway(self._context, gateways, session, place, heir.name)
        await self._remove(gateways, session, [one for one in places if one != place], [place])

    def _places(self) -> list[Place]:
        """Return where gateways of the SearchCluster are."""
        known = self._state.gateway
        return places_of(dict.fromkeys((*self._read_recorded(), *(known.places if known else ()))))

    async def remove(self, session: Session) -> None:
        """Delete everything of a SearchCluster that is being deleted.

        Raises:
            ExternalError: something could not be deleted; it is tried again.
        """
        gateways, places = self._context.gateways, self._places()
        if gateways is not None and places and self._context.dry_run is None:
            await self._remove(gateways, session, places, [])
