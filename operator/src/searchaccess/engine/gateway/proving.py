"""Tests a gateway as a caller would, and its login as its pods do, in the background.

Requests while all is well: each ten minutes five or six through the gateway, one for settings, and two to each address
of Elasticsearch.
"""

from dataclasses import replace
from typing import Final

import structlog

from searchaccess.api.clusters.gateway import Gateway
from searchaccess.core.clusters.connection import Connection
from searchaccess.core.clusters.proof import undeclared
from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.gateway.facts import GatewayFacts
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
from searchaccess.engine.barrier import caught
from searchaccess.engine.beside import Beside
from searchaccess.engine.concurrency.tasks import all_of
from searchaccess.engine.gateway.reconcile import GatewayReconciler
from searchaccess.engine.pacing.agenda import NEVER, Agenda
from searchaccess.engine.pacing.wakeup import IDLE, Wakeup
from searchaccess.engine.state import Session
from searchaccess.ports.errors import ExternalError
from searchaccess.ports.gateway import Gateways

PROVE_EVERY: Final = 600.0
"""Seconds between two tests of a gateway whose settings do not change: Elasticsearch logs each of them."""
PROVE_AGAIN: Final = 60.0
"""The same after one that did not succeed, or for a login whose password somebody may have changed."""
CONFIRM: Final = 20.0
"""Seconds after which a refused login is tried again: a restarting node refuses every login."""
_GATEWAY: Final = "gateway"
_RUN_AS: Final = "run as"

log = structlog.get_logger(__name__)


class GatewayProver:
    """Tests the gateway of one SearchCluster.

    Args:
        beside: the SearchCluster.
        reconciler: writes the gateway's objects.
    """

    def __init__(self, beside: Beside, reconciler: GatewayReconciler) -> None:
        self._beside = beside
        self._context = beside.context
        self._state = beside.state
        self._reconciler = reconciler
        self._agenda = Agenda(self._context.clock, PROVE_AGAIN, PROVE_AGAIN)
        self._wakeup = Wakeup()
        self._keys: dict[str, object] = {}
        """What each test was last about."""
        self._tested_at = float("-inf")
        """When the login was last tested."""
        self._old_tokens = OldTokens()
        self._refusals = 0
        """How often in a row Elasticsearch refused the login."""

    def wake(self) -> None:
        """Check whether a test is due."""
        self._wakeup.set()

    async def run(self, gateways: Gateways) -> None:
        """Test until cancelled.

        Args:
            gateways: what is needed to run gateways.
        """
        await self._wakeup.rounds(lambda: self._look(gateways))

    async def _look(self, gateways: Gateways) -> float:
        """Test what is due; return the seconds until something is due again; infinity: not before a reconcile."""
        session = self._beside.session()
        gateway = session.cluster.gateway if session else None
        if session is None or gateway is None or self._reconciler.config.applied is None:
            return NEVER
        before = self._state.gateway
        try:
            await self._test(gateways, session, gateway)
        except Exception as error:  # noqa: BLE001 - the barrier between the gateway and everything else
            caught(self._context.meter, self._beside.name, "gateway", error)
        if self._state.gateway != before and self._beside.begun():
            self._beside.publish()
        return max(IDLE, min(self._agenda.delay(), self._suspected_after()))

    def _suspected_after(self) -> float:
        """Return the seconds until a login is tested whose password somebody may have changed; infinity: nobody."""
        if not self._reconciler.suspects:
            return NEVER
        return max(0.0, self._tested_at + PROVE_AGAIN - self._context.clock.monotonic())

    def _is_due(self, part: str, key: object) -> bool:
        """Return whether a test is due, by time or because it is about something else now."""
        changed, self._keys[part] = self._keys.get(part) != key, key
        due = changed or part in self._agenda.due()
        if due:
            # Whatever happens to it, it is tested again soon.
            self._agenda.plan(part, PROVE_AGAIN)
        return due

    async def _test(self, gateways: Gateways, session: Session, gateway: Gateway) -> None:
        keeper, applied, known = self._reconciler.keeper, self._reconciler.config.applied, self._state.gateway
        if applied is None or known is None or known.places[:1] != (str(applied.place),) or known.pods is None:
            # What pods have loaded comes first: it says whether there is anything to test.
            return
        loaded = known.version if known.is_loaded else ""
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

        answers = dict(await all_of([attempt(kind, token) for kind, token in sent.items()]))
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
            self._context.inventory.marks.dirty(self._beside.name).event.set()

    async def _as_others(self, connection: Connection, url: str, run_as: str) -> RunAsAnswers:
        try:
            port = await self._beside.connector.open(replace(connection, urls=(url,)), self._beside.name)
        except ExternalError as error:
            return RunAsAnswers(url, Answer(trouble=error.message), Answer(trouble=error.message))
        try:
            return RunAsAnswers(url, await port.authenticate_as(run_as), await port.authenticate_as(OTHER))
        finally:
            await port.close()
