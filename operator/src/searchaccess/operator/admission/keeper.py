"""Keeps the webhook's certificate: makes and rotates it, or reads it from files (docs/adr/0050).

Each replica serves what is kept; the one that holds the common Lease rotates it. Each write names the version that was
read, so that replicas which both believe to hold it cannot undo each other's steps.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog

from searchaccess.adapters.x509 import issue, read_authority, read_certificate
from searchaccess.core.webhook.certificates import (
    Certificate,
    Kept,
    Observed,
    Pace,
    Step,
    next_step,
    prepared,
    promoted,
    retired,
)
from searchaccess.engine.barrier import caught
from searchaccess.operator.admission.tls import ServedCertificate
from searchaccess.ports.clock import Clock
from searchaccess.ports.errors import Conflict, ExternalError, TlsNotVerified
from searchaccess.ports.meter import Meter
from searchaccess.ports.webhooks import KeptSecret, Registration, WebhooksPort

_CURRENT: Final = ("ca.crt", "tls.crt", "tls.key")
_FOLLOWING: Final = ("following-ca.crt", "following.crt", "following.key")
_FORMER: Final = "former-ca.crt"
_MOST_STEPS: Final = 6
"""In one turn: more than there are."""
_FILES_EVERY: Final = 10.0
"""Seconds after which files are read again: the kubelet brings a change of a Secret within a minute or two."""
_RETRY: Final = 1.0
"""Seconds after which what failed is tried again while there is no certificate yet."""

log = structlog.get_logger(__name__)


def kept_in(values: Mapping[str, str]) -> Kept:
    """Return the certificates in the data of a Secret; what cannot be read counts as absent."""
    return Kept(_read(values, _CURRENT), _read(values, _FOLLOWING), read_authority(values.get(_FORMER, "")))


def _read(values: Mapping[str, str], keys: tuple[str, str, str]) -> Certificate | None:
    authority, chain, key = (values.get(each, "") for each in keys)
    return read_certificate(authority, chain, key)


def data_of(kept: Kept) -> dict[str, str]:
    """Return the data of the Secret."""
    data = {_FORMER: kept.former} if kept.former else {}
    for certificate, (authority, chain, key) in ((kept.current, _CURRENT), (kept.following, _FOLLOWING)):
        if certificate:
            data |= {authority: certificate.authority, chain: certificate.chain, key: certificate.key}
    return data


class _Since:
    """For how long something has been as it is, by this process alone."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: object = None
        self._at = 0.0

    def seconds(self, seen: object) -> float:
        """Return for how long this was seen without a change; None: it is not so."""
        if seen is None or seen != self._seen:
            self._seen, self._at = seen, self._clock.monotonic()
        return self._clock.monotonic() - self._at


class Keeper:
    """Makes and rotates the certificate.

    Args:
        port: the Secret and the registration of the webhook.
        served: what is served.
        clock: the time.
        leads: whether this replica is the one that rotates.
        pace: how long certificates last.
        meter: counts internal errors.
    """

    def __init__(
        self,
        port: WebhooksPort,
        served: ServedCertificate,
        clock: Clock,
        leads: Callable[[], bool],
        pace: Pace,
        meter: Meter,
    ) -> None:
        self._port = port
        self._served = served
        self._clock = clock
        self._leads = leads
        self._pace = pace
        self._meter = meter
        self._published = _Since(clock)
        self._current = _Since(clock)

    async def run(self) -> None:
        """Keep the certificate until cancelled."""
        await _repeat(self.turn, self._served, self._pace.read_every, self._meter)

    async def turn(self) -> None:
        """Serve what is kept, and do what is due.

        Raises:
            ExternalError: that was not possible; the next turn continues.
        """
        for _ in range(_MOST_STEPS):
            # In this order: a list of authorities that was published later than it is read here is not overwritten.
            registration = await self._port.read_registration()
            secret = await self._port.read_secret()
            kept = kept_in(secret.values)
            if kept.current and self._served.serve(kept.current.chain, kept.current.key):
                log.info("serving a certificate", ends=kept.current.ends.isoformat())
            if not await self._advance(kept, secret, registration):
                return

    async def _advance(self, kept: Kept, secret: KeptSecret, registration: Registration) -> bool:
        """Do the next step; return whether there was one."""
        if not registration.names:
            raise TlsNotVerified(
                "the ValidatingWebhookConfiguration has no service and no url: nobody calls the webhook"
            )
        is_published = set(registration.authorities) == set(kept.trusted)
        observed = Observed(
            kept=kept,
            published=registration.authorities,
            names=registration.names,
            now=self._now(),
            leads=self._leads(),
            published_for=self._published.seconds(kept.trusted if is_published else None),
            current_for=self._current.seconds(kept.current and kept.current.chain),
        )
        step = next_step(observed, self._pace)
        if step is Step.NOTHING:
            return False
        try:
            await self._do(step, kept, secret, registration)
        except Conflict:
            # Somebody else was faster: what is there now decides.
            return True
        log.info("rotating the webhook's certificate", step=step.name.lower())
        return True

    async def _do(self, step: Step, kept: Kept, secret: KeptSecret, registration: Registration) -> None:
        if step is Step.PUBLISH:
            await self._port.publish(kept.trusted, registration)
            return
        if step is Step.PROMOTE:
            after = promoted(kept)
        elif step is Step.RETIRE:
            after = retired(kept)
        else:
            made = issue(registration.names, self._now(), self._pace.lifetime, self._pace.backdated)
            after = prepared(kept, made) if step is Step.PREPARE else Kept(made)
        await self._port.write_secret(data_of(after), secret)

    def _now(self) -> datetime:
        return datetime.fromisoformat(self._clock.now())


async def follow_files(folder: Path, served: ServedCertificate, meter: Meter) -> None:
    """Serve the certificate in ``tls.crt`` and ``tls.key`` of a folder, and read them again, until cancelled."""

    async def turn() -> None:
        try:
            chain, key = ((folder / name).read_text() for name in ("tls.crt", "tls.key"))
        except (OSError, ValueError) as error:
            raise TlsNotVerified(f"{folder}: tls.crt or tls.key cannot be read ({type(error).__name__})") from None
        if served.serve(chain, key):
            log.info("serving a certificate", folder=str(folder))

    await _repeat(turn, served, _FILES_EVERY, meter)


async def _repeat(turn: Callable[[], Awaitable[None]], served: ServedCertificate, every: float, meter: Meter) -> None:
    logged = ""
    while True:
        try:
            await turn()
        except ExternalError as error:
            if error.message != logged:
                log.warning("cannot keep the webhook's certificate", error=error.message)
            logged = error.message
        except Exception as error:  # noqa: BLE001 - the barrier between one turn and the next
            caught(meter, "", "admission", error)
        else:
            logged = ""
        await asyncio.sleep(every if served.is_ready else min(every, _RETRY))
