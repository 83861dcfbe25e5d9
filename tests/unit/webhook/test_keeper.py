"""Certificates are made, rotated and served; what is served is always trusted."""

import asyncio
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from searchaccess.adapters.x509 import issue, read_certificate
from searchaccess.core.webhook.certificates import Pace
from searchaccess.operator.admission.keeper import Keeper, data_of, follow_files, kept_in
from searchaccess.operator.admission.tls import ServedCertificate
from searchaccess.ports.errors import PermissionDenied, TlsNotVerified
from searchaccess.ports.meter import Meter
from tests.support.loop.clocks import SettableClock
from tests.unit.webhook.memory import MemoryWebhooks

NOW = datetime(2026, 1, 1, 10, tzinfo=UTC)
PACE = Pace(600)


@dataclass
class Replica:
    """One replica, and what it serves."""

    webhooks: MemoryWebhooks
    clock: SettableClock
    leads: bool = True
    served: ServedCertificate = field(default_factory=ServedCertificate)
    keeper: Keeper = field(init=False)

    def __post_init__(self) -> None:
        leads = lambda: self.leads  # noqa: E731 - it changes.
        self.keeper = Keeper(self.webhooks, self.served, self.clock, leads, PACE, Meter())

    @property
    def authority(self) -> str:
        """Of what it serves: the name of the issuer."""
        return x509.load_pem_x509_certificate(self.served._served.encode()).issuer.rfc4514_string()


@pytest.fixture
def webhooks() -> MemoryWebhooks:
    return MemoryWebhooks("searchaccess-admission.searchaccess-system.svc")


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


def trusted(webhooks: MemoryWebhooks) -> set[str]:
    return {x509.load_pem_x509_certificate(each.encode()).subject.rfc4514_string() for each in webhooks.authorities}


async def test_the_first_certificate_is_made_published_and_served(
    webhooks: MemoryWebhooks, clock: SettableClock
) -> None:
    one = Replica(webhooks, clock)
    await one.keeper.turn()
    assert webhooks.written == ["secret", "registration"]
    assert {one.authority} == trusted(webhooks)
    await one.keeper.turn()
    assert len(webhooks.written) == 2, "nothing is written while nothing is due"


async def test_only_the_replica_that_leads_rotates(webhooks: MemoryWebhooks, clock: SettableClock) -> None:
    leader, other = Replica(webhooks, clock), Replica(webhooks, clock, leads=False)
    await leader.keeper.turn()
    await other.keeper.turn()
    assert other.authority == leader.authority
    clock.advance(PACE.lifetime * 0.7)
    await other.keeper.turn()
    assert len(webhooks.written) == 2
    await leader.keeper.turn()
    assert len(webhooks.written) == 4


async def test_in_a_rollout_the_first_that_serves_the_webhook_does_not_wait_for_one_that_does_not(
    webhooks: MemoryWebhooks, clock: SettableClock
) -> None:
    new = Replica(webhooks, clock, leads=False)
    await new.keeper.turn()
    assert {new.authority} == trusted(webhooks)


async def test_two_that_believe_to_hold_the_lease_do_not_overwrite_each_other(
    webhooks: MemoryWebhooks, clock: SettableClock
) -> None:
    replicas = [Replica(webhooks, clock), Replica(webhooks, clock)]
    await asyncio.gather(*(replica.keeper.turn() for replica in replicas))
    for replica in replicas:
        await replica.keeper.turn()
    assert replicas[0].authority == replicas[1].authority
    assert {replicas[0].authority} == trusted(webhooks)


async def test_whatever_is_served_is_trusted_through_three_rotations(
    webhooks: MemoryWebhooks, clock: SettableClock
) -> None:
    replicas = [Replica(webhooks, clock), Replica(webhooks, clock, leads=False)]
    served, at_once = set(), 0
    for _ in range(int(2.5 * PACE.lifetime / PACE.read_every)):
        clock.advance(PACE.read_every)
        for replica in replicas:
            await replica.keeper.turn()
            found = [each.authority for each in replicas if each.served.is_ready]
            assert set(found) <= trusted(webhooks)
            served.update(found)
        at_once = max(at_once, len(webhooks.authorities))
    assert len(served) == 4
    assert at_once == 2


async def test_replicas_that_all_believe_to_lead_rotate_as_one(webhooks: MemoryWebhooks, clock: SettableClock) -> None:
    replicas = [Replica(webhooks, clock) for _ in range(3)]
    chance, served = random.Random(7), set[str]()  # noqa: S311 - which of them is first

    async def turn(replica: Replica) -> None:
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(0)
        await replica.keeper.turn()
        assert {each.authority for each in replicas if each.served.is_ready} <= trusted(webhooks)

    for _ in range(int(2.5 * PACE.lifetime / PACE.read_every)):
        clock.advance(PACE.read_every)
        await asyncio.gather(*map(turn, replicas))
        served |= {each.authority for each in replicas}
    assert len(served) == 4


async def test_what_another_published_between_two_reads_is_not_taken_back(
    webhooks: MemoryWebhooks, clock: SettableClock
) -> None:
    one, two = Replica(webhooks, clock), Replica(webhooks, clock)
    await one.keeper.turn()
    clock.advance(PACE.lifetime * 0.7)
    webhooks.after_a_read = two.keeper.turn
    await one.keeper.turn()
    assert [len(authorities) for authorities in webhooks.published] == [1, 2]


async def test_the_lease_moves_in_the_middle_of_a_rotation(webhooks: MemoryWebhooks, clock: SettableClock) -> None:
    one, two = Replica(webhooks, clock), Replica(webhooks, clock, leads=False)
    await one.keeper.turn()
    clock.advance(PACE.lifetime * 0.7)
    await one.keeper.turn()
    assert len(webhooks.authorities) == 2
    one.leads, two.leads = False, True
    await two.keeper.turn()
    before = two.authority
    clock.advance(PACE.spread - 1)
    await two.keeper.turn()
    assert two.authority == before, "it has not seen for long enough that both are trusted"
    clock.advance(2)
    await two.keeper.turn()
    assert two.authority != before


async def test_what_somebody_broke_is_made_again(webhooks: MemoryWebhooks, clock: SettableClock) -> None:
    one = Replica(webhooks, clock)
    await one.keeper.turn()
    first = one.authority
    webhooks.authorities = ()
    await one.keeper.turn()
    assert trusted(webhooks) == {first}
    webhooks.values = dict(webhooks.values) | {"tls.key": "nonsense"}
    await one.keeper.turn()
    assert one.authority != first
    assert trusted(webhooks) == {one.authority}


@pytest.mark.parametrize("former", ["nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"])
async def test_a_former_authority_that_cannot_be_read_is_never_published(
    webhooks: MemoryWebhooks, clock: SettableClock, former: str
) -> None:
    one = Replica(webhooks, clock)
    await one.keeper.turn()
    webhooks.values = dict(webhooks.values) | {"former-ca.crt": former}
    await one.keeper.turn()
    assert {one.authority} == trusted(webhooks)
    assert len(webhooks.published) == 1


async def test_a_webhook_that_nobody_calls_is_told(webhooks: MemoryWebhooks, clock: SettableClock) -> None:
    webhooks.names = ()
    with pytest.raises(TlsNotVerified, match="no service and no url"):
        await Replica(webhooks, clock).keeper.turn()


async def test_what_is_served_stays_while_the_api_server_refuses(
    webhooks: MemoryWebhooks, clock: SettableClock
) -> None:
    one = Replica(webhooks, clock)
    await one.keeper.turn()
    webhooks.error = PermissionDenied("no")
    with pytest.raises(PermissionDenied):
        await one.keeper.turn()
    assert one.served.is_ready


PAIR = issue(("b.example", "127.0.0.1"), NOW, 3600, 60)
OTHER = issue(("b.example",), NOW, 3600, 60)


def test_a_certificate_is_read_as_it_was_made() -> None:
    assert read_certificate(PAIR.authority, PAIR.chain, PAIR.key) == PAIR
    assert PAIR.names == ("127.0.0.1", "b.example")
    assert (PAIR.ends - NOW).total_seconds() == 3600
    assert (NOW - PAIR.begins).total_seconds() == 60
    assert kept_in(data_of(kept_in(data_of(kept_in({}))))) == kept_in({})


@pytest.mark.parametrize(
    ("authority", "chain", "key"),
    [
        (OTHER.authority, PAIR.chain, PAIR.key),
        (PAIR.authority, PAIR.chain, OTHER.key),
        (PAIR.authority, PAIR.authority, PAIR.key),
        ("", PAIR.chain, PAIR.key),
        (PAIR.authority, "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----", PAIR.key),
        (PAIR.authority, PAIR.chain, "\ufffd"),
    ],
    ids=["another's authority", "another's key", "no names", "no authority", "no certificate", "no key"],
)
def test_what_does_not_fit_together_counts_as_absent(authority: str, chain: str, key: str) -> None:
    assert read_certificate(authority, chain, key) is None


async def test_files_are_read_as_soon_as_they_are_there(tmp_path: Path) -> None:
    served = ServedCertificate()
    task = asyncio.create_task(follow_files(tmp_path, served, Meter()))
    await asyncio.sleep(0)
    assert not served.is_ready
    (tmp_path / "tls.crt").write_text(PAIR.chain)
    (tmp_path / "tls.key").write_text(PAIR.key)
    async with asyncio.timeout(300):
        while not served.is_ready:  # noqa: ASYNC110 - what it follows has no event
            await asyncio.sleep(0.05)
    task.cancel()
