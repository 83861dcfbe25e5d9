"""When the webhook's certificate is renewed, and which authorities are published for the API server to trust.

Each certificate has an authority of its own, whose key is discarded once it has signed: a rotation is the same whether
it is the certificate's or the authority's. A new certificate is served only after its authority was published,
and the former authority stays until no replica serves the former certificate any more.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final

RENEWED_AFTER: Final = 2 / 3
"""Share of its lifetime after which a certificate is renewed."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that is, or will be, served.

    Args:
        authority: certificate of the authority that signed it, as PEM.
        chain: the certificate, as PEM.
        key: its private key, as PEM.
        names: the DNS names and addresses that it is for.
        begins: when it begins to be valid.
        ends: when it ends.
    """

    authority: str
    chain: str
    key: str = field(repr=False)
    names: tuple[str, ...]
    begins: datetime
    ends: datetime


@dataclass(frozen=True, slots=True)
class Kept:
    """What the operator keeps of its certificates.

    Args:
        current: is served; None: there is none, or it cannot be read.
        following: is served next.
        former: the authority of the one that was served before; empty: no replica serves that any more.
    """

    current: Certificate | None = None
    following: Certificate | None = None
    former: str = ""

    @property
    def trusted(self) -> tuple[str, ...]:
        """The authorities that the API server must trust."""
        found = [self.former]
        found += [each.authority for each in (self.current, self.following) if each]
        return tuple(dict.fromkeys(filter(None, found)))


class Step(Enum):
    """What is done next."""

    NOTHING = auto()
    ISSUE = auto()
    """Make a certificate and serve it at once: there is none."""
    PUBLISH = auto()
    """Tell the API server which authorities to trust."""
    PREPARE = auto()
    """Make the certificate that is served next."""
    PROMOTE = auto()
    """Serve it."""
    RETIRE = auto()
    """Forget the former authority."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long certificates last, and how long each part of a rotation takes at least.

    Args:
        lifetime: seconds for which a certificate is valid.
    """

    lifetime: float

    @property
    def read_every(self) -> float:
        """Seconds after which each replica reads again what is kept."""
        return min(30.0, self.lifetime / 60)

    @property
    def spread(self) -> float:
        """Seconds within which each API server notices another list of authorities."""
        return min(120.0, self.lifetime / 12)

    @property
    def settle(self) -> float:
        """Seconds within which each replica serves another certificate: several reads."""
        return min(600.0, self.lifetime / 6)

    @property
    def backdated(self) -> float:
        """Seconds by which clocks of API servers may be behind."""
        return min(300.0, self.lifetime)


@dataclass(frozen=True, slots=True)
class Observed:
    """What is known when a step is chosen.

    Args:
        kept: the certificates.
        published: the authorities that are published for the API server to trust.
        names: the names under which the API server calls the webhook.
        now: the time.
        leads: whether this replica is the one that rotates.
        published_for: seconds for which all that must be trusted was seen to be published.
        current_for: seconds for which the current certificate was seen to be the current one.
    """

    kept: Kept
    published: Sequence[str]
    names: tuple[str, ...]
    now: datetime
    leads: bool = True
    published_for: float = 0.0
    current_for: float = 0.0


def next_step(observed: Observed, pace: Pace) -> Step:
    """Decide what is done next about the certificates."""
    kept = observed.kept
    if kept.current is None:
        return Step.ISSUE
    is_accepted = kept.current.authority in observed.published and observed.now < kept.current.ends
    if is_accepted and not observed.leads:
        # In a rollout, the replica that leads may not serve the webhook yet, and waits for this one to be ready.
        return Step.NOTHING
    if set(observed.published) != set(kept.trusted):
        return Step.PUBLISH
    return _rotation(kept.current, observed, pace)


def _rotation(current: Certificate, observed: Observed, pace: Pace) -> Step:
    following = observed.kept.following
    # What begins later was made while the clock was ahead: nobody would accept it.
    has_begun = following is not None and observed.now >= following.begins
    if following is not None and has_begun and not _is_due(following, observed, pace):
        # What is over is accepted by nobody, so that there is nothing to wait for.
        known = observed.published_for >= pace.spread or observed.now >= current.ends
        return Step.PROMOTE if known else Step.NOTHING
    if following is None and observed.kept.former:
        return Step.RETIRE if observed.current_for >= pace.settle else Step.NOTHING
    return Step.PREPARE if following is not None or _is_due(current, observed, pace) else Step.NOTHING


def _is_due(certificate: Certificate, observed: Observed, pace: Pace) -> bool:
    renewed = certificate.ends - timedelta(seconds=pace.lifetime * (1 - RENEWED_AFTER))
    return observed.now >= renewed or certificate.names != observed.names


def prepared(kept: Kept, made: Certificate) -> Kept:
    """Return what is kept once the next certificate was made."""
    return Kept(kept.current, made, kept.former)


def promoted(kept: Kept) -> Kept:
    """Return what is kept once the next certificate is the current one."""
    return Kept(kept.following, None, kept.current.authority if kept.current else kept.former)


def retired(kept: Kept) -> Kept:
    """Return what is kept once no replica serves the former certificate."""
    return Kept(kept.current, kept.following)
