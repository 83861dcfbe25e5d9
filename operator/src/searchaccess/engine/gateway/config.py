"""Writes the configuration of a gateway into its ConfigMap."""

import asyncio
import re
from dataclasses import dataclass, replace
from typing import Final

from searchaccess.api.references import Certificates
from searchaccess.core.answers.changes import Action, Change
from searchaccess.core.clusters.sources import Incomplete, certificates_of, certificates_place
from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.gateway.derived import NotForGateways, settings_of
from searchaccess.core.gateway.objects import (
    CLUSTERS,
    LISTENERS,
    VERSION,
    WRITTEN,
    Observed,
    Place,
    Plan,
    Wanted,
    plan_object,
    wanted_object,
)
from searchaccess.core.gateway.render import Rendered, render
from searchaccess.core.gateway.settings import CallerLimits, GatewaySettings
from searchaccess.core.status.credential import epoch
from searchaccess.engine.gateway.job import Job
from searchaccess.engine.state import Context
from searchaccess.ports.errors import ForeignObject, NotFound, Rejected

MOST_BYTES: Final = 1_000_000
"""Of a ConfigMap's data; the API server takes 1 MiB of data, and 1.5 MiB in all."""

_ANY: Final = CallerLimits(0)
"""In place of limits that do not matter."""
_NUMBER: Final = re.compile("[0-9]{1,20}")
"""Of a write: the resource version of what it replaces, or the time."""
_REMEMBERED: Final = 100
"""Versions that differ in limits alone; a pod that has an older one is taken for one that serves nobody."""
_MANY: Final = 500
"""Callers with limits of their own, above which the configuration is rendered in a thread."""


@dataclass(frozen=True, slots=True)
class _Rendering:
    """The last rendering: thousands of limits take their time."""

    settings: GatewaySettings
    config: Rendered


@dataclass(frozen=True, slots=True)
class Applied:
    """A configuration that is in place."""

    place: Place
    version: str
    since: float
    """When it was written, in seconds since the epoch."""


async def read_certificates(context: Context, ca: Certificates | None, field: str) -> str:
    """Return declared certificates in PEM form; empty: none are declared.

    Raises:
        Rejected: they are missing, or cannot be used.
        ExternalError: they could not be read.
    """
    place = certificates_place(ca)
    if place is None:
        return (ca.inline if ca else None) or ""
    try:
        content = {place[0]: await context.kubernetes.read_source(place[0])}
        return certificates_of(place, content)
    except (Incomplete, NotFound) as error:
        text = error.message if isinstance(error, NotFound) else str(error)
        raise Rejected(f"{field}: {text}") from None


class ConfigWriter:
    """Keeps the ConfigMap of one gateway as it should be."""

    def __init__(self) -> None:
        self._rendering: _Rendering | None = None
        self.applied: Applied | None = None
        """What is in place; None: not known."""
        self.ca = ""
        """Certificates to trust for the gateway's address."""
        self._about: GatewaySettings | None = None
        """What the last version depends on, but for limits."""
        self._in_doubt = False
        """Whether a write was not answered: what it wrote may be in place."""
        self.letting_in: list[str] = []
        """Versions with which a pod lets in all callers that are declared now, perhaps with former limits."""

    async def reconcile(self, job: Job) -> str:
        """Write the configuration if it differs; return its version.

        Raises:
            ForeignObject: the ConfigMap is somebody else's.
            ExternalError: it could not be read or written.
        """
        rendered, target = await self._rendered(job), job.place.config
        observed = await job.gateways.objects.read(target)
        config = rendered.numbered(self._number(job, rendered, observed))
        wanted, version = self._wanted(job, config), config.version
        applied = self.applied is not None and (self.applied.place, self.applied.version) == (job.place, version)
        plan = plan_object(wanted, observed, job.holder, applied=applied)
        if plan.conflict:
            raise ForeignObject(job.foreign(job.described(target)))
        if job.context.dry_run is not None:
            self._note(job, wanted, observed, plan)
            return version
        if plan.write:
            # What changed meanwhile is a conflict, and read again.
            self._in_doubt = True
            observed = await job.gateways.objects.write(wanted, observed)
        self._in_doubt = False
        job.drift += plan.drift
        self.applied = Applied(job.place, version, _written_at(observed, job.context))
        self._note_letting_in(version)
        return version

    def _note_letting_in(self, version: str) -> None:
        """Note a version that is in place. Only those with which a pod lets in all that are declared now are kept."""
        if self._rendering is None:
            return
        settings = replace(self._rendering.settings, replicas=1, limits=_ANY, callers={})
        if settings != self._about:
            self._about, self.letting_in = settings, []
        if version not in self.letting_in[-1:]:
            self.letting_in = [*self.letting_in[1 - _REMEMBERED :], version]

    def _number(self, job: Job, rendered: Rendered, observed: Observed | None) -> str:
        """Return the number of the write that is in place, if that is the same; otherwise that of a new one."""
        known = observed.annotations.get(VERSION, "") if observed and observed.belongs_to(job.holder) else ""
        if self.applied is not None and self.applied.place == job.place and not self._in_doubt:
            known = self.applied.version
        digest, _, number = known.partition(".")
        if digest == rendered.version and (not number or _NUMBER.fullmatch(number)):
            return number
        # What it replaces is replaced once.
        before = observed.version if observed else ""
        return before if _NUMBER.fullmatch(before) else "".join(filter(str.isdecimal, job.context.clock.now()))

    async def _rendered(self, job: Job) -> Rendered:
        gateway, session = job.gateway, job.session
        jwks_ca = await read_certificates(
            job.context, gateway.jwks.ca if gateway.jwks else None, "spec.identity.gateway.jwks.ca"
        )
        self.ca = await read_certificates(job.context, gateway.ca, "spec.identity.gateway.ca")
        prefix = job.context.operator.role_name("")
        try:
            settings = settings_of(gateway, session.connection, prefix, jwks_ca=jwks_ca, callers=job.callers)
        except NotForGateways as error:
            raise Rejected(str(error)) from None
        if self._rendering is None or self._rendering.settings != settings:
            # Thousands of callers take half a second, in which everything else goes on.
            many = len(settings.callers) > _MANY
            self._rendering = _Rendering(
                settings, await asyncio.to_thread(render, settings) if many else render(settings)
            )
        config = self._rendering.config
        if len(config.listeners.encode()) + len(config.clusters.encode()) > MOST_BYTES:
            raise Rejected(
                f"the gateway's configuration has more than {MOST_BYTES} bytes: declare limits of their own for fewer "
                "SearchAccesses"
            )
        return config

    def _wanted(self, job: Job, config: Rendered) -> Wanted:
        data = {LISTENERS: Sealed(config.listeners), CLUSTERS: Sealed(config.clusters)}
        target, now = job.place.config, job.context.clock.now()
        return wanted_object(target, job.holder, job.gateway.name, config.version, data, now)

    def _note(self, job: Job, wanted: Wanted, observed: Observed | None, plan: Plan) -> None:
        dry_run, target, cluster = job.context.dry_run, str(wanted.target), job.session.cluster.name
        action = Action.CREATE if observed is None else Action.CHANGE
        change = Change(cluster, target, action, plan.drift) if plan.write else None
        if dry_run is not None:
            dry_run.note(cluster, target, change)


def _written_at(observed: Observed | None, context: Context) -> float:
    """Return when an object's data was written; now, if somebody changed what it says."""
    now = epoch(context.clock.now())
    try:
        return min(now, epoch((observed.annotations if observed else {}).get(WRITTEN, "")))
    except ValueError:
        return now
