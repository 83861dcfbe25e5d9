"""Keeps the login of a gateway: its role, two users in turn, and the Secret with the password."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from searchaccess.api.stores.credentials import Auth
from searchaccess.core.answers.changes import Action, Change
from searchaccess.core.credentials.credential import NOWHERE, Key, Seen
from searchaccess.core.credentials.rotation import Decision, decide
from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.credentials.steps import Issue, Note, Revoke, Step, Update
from searchaccess.core.gateway.facts import LoginInUse
from searchaccess.core.gateway.login import (
    LoginNames,
    diff_role,
    diff_users,
    free_user,
    is_own,
    key_of,
    seen_of,
    user_in,
    user_metadata,
    wanted_role,
    wish_of,
)
from searchaccess.core.gateway.objects import LOGIN, USER, Observed, wanted_object
from searchaccess.core.gateway.render import render_login
from searchaccess.core.model.canonical import RoleBody, role_from_json
from searchaccess.core.model.intake.reading import mapping
from searchaccess.core.rights.diff import Difference
from searchaccess.core.rights.ownership import Role
from searchaccess.core.status.credential import rfc3339
from searchaccess.engine.gateway.handover import take_over
from searchaccess.engine.gateway.job import Job
from searchaccess.engine.pacing.sharedclock import SharedClock
from searchaccess.ports.clock import Clock
from searchaccess.ports.errors import ForeignObject, PermissionDenied, Unexpected

MOST_STEPS: Final = 8
"""Steps in one reconcile at most; the next one does the rest."""
_RANDOM: Final = 32
"""Bytes of a password; bcrypt, which Elasticsearch uses by default, takes 72 characters into account."""
_CANNOT: Final = "needs the cluster privilege manage_security: only a login that has it can run a gateway"


@dataclass(slots=True)
class _Seen:
    """What was read, and what follows from it."""

    users: Mapping[str, dict[str, Any]]
    secret: Observed | None
    keys: list[Key] = field(default_factory=list)


class LoginKeeper:
    """Keeps the login of one gateway.

    Args:
        clock: this machine's.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = SharedClock(clock)
        self._role: Role | None = None
        """The role, once it was seen as it should be."""
        self._stored = ""
        """The user whose password was last seen in the Secret."""
        self.refused = ""
        """The user whose password Elasticsearch refuses; empty: none."""
        self.in_use: LoginInUse | None = None
        self.login: Sealed | None = None
        """What the Secret has, for tests of the login."""
        self.rotated = ""
        """What to emit about a login that was just replaced; empty: none was."""
        self.after = float("inf")
        """Seconds after which the next step is due."""

    async def reconcile(self, job: Job, *, shared: bool) -> None:
        """Do what is due about the login, step by step; observe after each.

        Args:
            job: the gateway.
            shared: a former gateway of the same name still uses an older user, so that is kept.

        Raises:
            ForeignObject: the role, a user or the Secret is somebody else's.
            ExternalError: something could not be read or written.
        """
        await self._keep_role(job)
        seen = await self._observe(job)
        if job.context.dry_run is None:
            if await take_over(job, seen.secret, seen.users):
                seen = await self._observe(job)
            job.drift += self._drift(job, seen)
        for _ in range(MOST_STEPS):
            known, decision = self._decide(job, seen)
            steps = decision.steps
            if shared and steps and isinstance(steps[0], Revoke):
                steps = self._without_shared(steps[0], seen)
            self.after = decision.after if decision.after is not None else float("inf")
            if not steps or job.context.dry_run is not None:
                self._record(job, seen, known, decision)
                return
            await self._do(job, steps[0], seen)
            seen = await self._observe(job)
        self.after = 1.0

    # The role

    async def _keep_role(self, job: Job) -> None:
        port, operator = job.session.port, job.context.operator
        wanted = wanted_role(operator, job.holder, job.gateway.name, job.people)
        wanted = replace(wanted, metadata=wanted.metadata | {"spec_hash": wanted.body.hash})
        raw = (await port.roles([wanted.name])).get(wanted.name)
        have = Role(wanted.name, role_from_json(raw), dict(mapping(raw.get("metadata")))) if raw is not None else None
        if have is not None and not is_own(have.metadata, operator, job.holder):
            raise ForeignObject(job.foreign(f"role {wanted.name}"))
        if wanted.same_as(have):
            self._role = wanted
            return
        drift = self._drift_of_role(wanted, have)
        # Whole, as it is the most dangerous right in the system: a merge would keep what somebody added.
        with job.session.state.writing("gateway", [wanted.name]):
            written = await port.replace_roles([wanted])
        for error in written.refused.values():
            raise error
        job.operations += len(written.changed)
        self._role = wanted
        if job.context.dry_run is None:
            job.drift += drift

    def _drift_of_role(self, wanted: Role, have: Role | None) -> list[Difference]:
        """Return what somebody changed; a role that is as an earlier spec had it was changed by nobody."""
        known = self._role is not None and self._role.same_as(wanted)
        if have is None:
            return [Difference(f"role/{wanted.name}", "name", wanted.name, "")] if known else []
        if not known and have.metadata.get("spec_hash") == have.body.hash:
            return []
        return diff_role(wanted, have)

    # Users and the Secret

    async def _observe(self, job: Job) -> _Seen:
        names = job.login_names
        users = await job.session.port.users_named(names.users)
        for name, raw in users.items():
            if not is_own(raw.get("metadata"), job.context.operator, job.holder):
                raise ForeignObject(job.foreign(f"user {name}"))
        secret = await job.gateways.objects.read(job.place.login)
        if secret is not None and not secret.belongs_to(job.holder):
            raise ForeignObject(job.foreign(job.described(job.place.login)))
        keys = [
            key_of(name, raw, job.context.operator, job.holder, refused=name == self.refused)
            for name, raw in users.items()
        ]
        await self._clock.observe(job.session.port, keys, dates=True)
        self._clock.keep(keys)
        return _Seen(users, secret, keys)

    def _decide(self, job: Job, seen: _Seen) -> tuple[Seen, Decision]:
        wish = wish_of(job.gateway, job.holder, job.session.cluster.rotate_requested)
        known = seen_of(seen.keys, seen.secret, job.holder, self._clock.ages(seen.keys))
        return known, decide(wish, known, self._clock.now())

    def _without_shared(self, step: Revoke, seen: _Seen) -> tuple[Step, ...]:
        """Keep users that another Secret has, as long as their former gateway is there."""
        here = seen.secret.uid if seen.secret else ""
        wrong = tuple(key for key in step.keys if key.disabled or key.slot == NOWHERE or key.slot.secret == here)
        return (replace(step, keys=wrong),) if wrong else ()

    def _drift(self, job: Job, seen: _Seen) -> list[Difference]:
        found = diff_users(job.login_names, seen.users)
        target = str(job.place.login)
        if self._stored and seen.secret is None:
            found.append(Difference(target, "metadata.name", job.place.login.name, ""))
        elif seen.secret is not None and not user_in(seen.secret):
            found.append(Difference(target, f"data[{LOGIN}]", "the login that was written", "something else"))
        if self._stored and self._stored not in seen.users:
            found.append(Difference(f"user/{self._stored}", "name", self._stored, ""))
        return found

    async def _do(self, job: Job, step: Step, seen: _Seen) -> None:
        names = job.login_names
        try:
            match step:
                case Issue():
                    async with job.context.steps:
                        await self._issue(job, step, seen)
                case Note(key=key, slot=slot):
                    await self._put(job, replace(key, slot=slot), names, None)
                case Update(keys=keys):
                    for key in keys:
                        await self._put(job, key, names, None)
                case Revoke(keys=keys):
                    gone = {key.id for key in keys}
                    with job.session.state.writing("gateway", gone):
                        await job.session.port.delete_users([key.id for key in keys])
                    job.operations += len(keys)
                    self.refused = "" if self.refused in gone else self.refused
                    self._stored = "" if self._stored in gone else self._stored
                case _:
                    raise Unexpected(f"no such step for a gateway's login: {type(step).__name__}")
        except PermissionDenied as error:
            raise PermissionDenied(f"{error.message}; {_CANNOT}") from None

    async def _issue(self, job: Job, step: Issue, seen: _Seen) -> None:
        """Create a user, then store its password. If the second fails, the next decision deletes the user."""
        names = job.login_names
        name, password = free_user(names, seen.keys, seen.secret), Sealed(secrets.token_urlsafe(_RANDOM))
        key = Key(
            name,
            job.holder.uid,
            step.sequence,
            self._clock.now(),
            None,
            RoleBody(),
            requested=job.session.cluster.rotate_requested,
            auth=Auth.PASSWORD,
        )
        await self._put(job, key, names, password)
        self._clock.made(key)
        data = {LOGIN: render_login(name, password)}
        now = job.context.clock.now()
        wanted = wanted_object(job.place.login, job.holder, job.gateway.name, str(step.sequence), data, now)
        wanted = replace(wanted, annotations=dict(wanted.annotations) | {USER: name})
        await job.gateways.objects.write(wanted, seen.secret)
        before = f"{self._stored} is replaced by {name}" if self._stored else f"{name} is the gateway's login"
        self.rotated = f"{before}: {step.why}"
        self._stored = name

    async def _put(self, job: Job, key: Key, names: LoginNames, password: Sealed | None) -> None:
        metadata = user_metadata(job.context.operator, job.holder, job.gateway.name, key)
        with job.session.state.writing("gateway", [key.id]):
            await job.session.port.put_gateway_user(key.id, names.role, metadata, password)
        job.operations += 1

    def _record(self, job: Job, seen: _Seen, known: Seen, decision: Decision) -> None:
        current, name = decision.current, job.session.cluster.name
        self.in_use = LoginInUse(current.id, rfc3339(current.created)) if current else None
        self.login = seen.secret.login if seen.secret and current else None
        self._stored = current.id if current else self._stored
        if job.context.dry_run is not None:
            target = str(job.place.login)
            issued = any(isinstance(step, Issue) for step in decision.steps)
            action = Action.CREATE if known.secret is None else Action.CHANGE
            job.context.dry_run.note(name, target, Change(name, target, action) if issued else None)
