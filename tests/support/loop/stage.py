"""The operator's loop between two servers in memory, in virtual time; and what must be true when all is quiet."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from searchaccess.api.constants import FINALIZER
from searchaccess.api.searchcluster import PrincipalClaim, SearchClusterSpec
from searchaccess.core.answers.changes import Change
from searchaccess.core.clusters.connection import Connection
from searchaccess.core.clusters.sources import Source
from searchaccess.core.gateway.proof import Answer
from searchaccess.core.model.access import Access, Share
from searchaccess.core.model.canonical import role_from_json
from searchaccess.core.model.parsing import access_from_object
from searchaccess.core.model.watched import Watched
from searchaccess.core.policy.decision import OPEN, Do, decide
from searchaccess.core.rights.mapping import build_template_mapping, mapping_of
from searchaccess.core.rights.ownership import Operator
from searchaccess.decorators.dryrun import DryRun, DryRunConnections
from searchaccess.engine.host import Host
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.engine.outbox import Outbox
from searchaccess.engine.pacing.agenda import NEVER
from searchaccess.engine.replicas.ownership import Ownership
from searchaccess.engine.state import Context
from searchaccess.operator.connections.connecting import find_connection
from searchaccess.operator.observing import observed
from searchaccess.ports.elasticsearch import ElasticsearchPort
from searchaccess.ports.kubernetes import Plural
from tests.support.copies import copied
from tests.support.failures.faults import Call, Faults
from tests.support.loop.clocks import EPOCH, LoopClock, run_virtually
from tests.support.memory.elasticsearch import AUDIENCE, REALM, MemoryElasticsearch, owner_uids
from tests.support.memory.gateways import MemoryGateways
from tests.support.memory.google import MemoryGoogle
from tests.support.memory.kubernetes import CONTROLLER, Key, MemoryKubernetes, Watch, key_of
from tests.support.memory.store import MemoryStores
from tests.support.worlds.world import CLUSTER, LOGIN, SYSTEM, condition_in

OPERATOR: Final = Operator("default", CONTROLLER)
PRIVATE_ADDRESS: Final = "10.0.0.1"
QUIET: Final = 8.0
"""Seconds without a write after which nothing more is to come: longer than any back-off."""
NEVER_QUIET: Final = 300.0
POLL: Final = 0.5
LONG: Final = 300.0
"""Seconds from which on time passes with few probes."""
FAR_APART: Final = 60.0
"""Seconds between probes then."""
RECOVERS: Final = 60.0
"""Seconds at the end with as many as are declared."""

LOGIN_SECRET: Final = Source("Secret", SYSTEM, LOGIN)
CLUSTER_KEY: Final[Key] = (Plural.CLUSTERS, "", CLUSTER)


def search_cluster(name: str = CLUSTER, url: str = "https://one:9200", **spec: Any) -> dict[str, Any]:
    """Return a SearchCluster for an Elasticsearch of the stage."""
    whole = {
        "urls": [url],
        "login": {"secretRef": {"namespace": SYSTEM, "name": LOGIN}},
        "identity": {"jwtRealm": {"name": REALM, "audience": AUDIENCE}},
        **spec,
    }
    return {
        "apiVersion": "searchaccess.dev/v1alpha1",
        "kind": "SearchCluster",
        "metadata": {"name": name, "annotations": {}},
        "spec": whole,
    }


@dataclass(slots=True)
class Process:
    """One process of the operator."""

    inventory: Inventory
    watch: Watch
    outbox: Outbox
    host: Host
    task: asyncio.Task[None]


class GatewaySession:
    """A cluster as a gateway's login sees it."""

    def __init__(self, server: MemoryElasticsearch, connection: Connection) -> None:
        self._server = server
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    async def authenticate_as(self, user: str) -> Answer:
        """Answer who this login is when it runs as a user."""
        login = self._connection
        return self._server.answer_to(login.username, login.password, user)

    async def privileges_as(self, user: str) -> Mapping[str, Any]:
        """Answer what a user really has as whom this login runs."""
        login = self._connection
        call = Call("elasticsearch", "privileges_as", (user,))
        return await self._server._faults.perform(
            call, lambda: self._server.privileges_of(login.username, login.password, user)
        )

    async def close(self) -> None:
        """Nothing is open."""


@dataclass(slots=True)
class Stage:
    """Both servers, and an operator between them that can crash and be started again."""

    faults: Faults = field(default_factory=Faults)
    clock: LoopClock = field(default_factory=LoopClock)
    kubernetes: MemoryKubernetes = field(init=False)
    servers: dict[str, MemoryElasticsearch] = field(init=False)
    google: MemoryGoogle = field(init=False)
    stores: MemoryStores = field(init=False)
    operator: Operator = OPERATOR
    ownership: Ownership = field(default_factory=Ownership)
    """What the operator owns, of several replicas."""
    gateways: MemoryGateways = field(init=False)
    runs_gateways: bool = False
    """Whether the operator runs gateways."""
    process: Process | None = None
    violations: list[str] = field(default_factory=list)
    logs: list[list[Any]] = field(default_factory=list)
    """What each process of the operator logged."""
    restarts: int = 0
    short_lived: bool = False
    """Whether the operator knows that its process ends by itself soon."""
    connections: list[Connection] = field(default_factory=list)
    """All that were opened."""
    spared: set[asyncio.Task[None]] = field(default_factory=set)
    """Tasks that are not the operator's."""
    addresses: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By host name, what it resolves to; a private address when it is not here."""

    def __post_init__(self) -> None:
        self.kubernetes = MemoryKubernetes(self.faults, self.clock.now)
        self.kubernetes.sources[LOGIN_SECRET] = {"username": b"operator", "password": b"secret"}
        self.kubernetes.on_finalizers = self._before_finalizers
        self.servers = {}
        self.google = MemoryGoogle(self.faults)
        self.stores = MemoryStores(self.faults)
        self.gateways = MemoryGateways(self.faults)
        self.server("https://one:9200")

    def server(self, url: str) -> MemoryElasticsearch:
        """Return the Elasticsearch at an address."""
        if url not in self.servers:
            self.servers[url] = MemoryElasticsearch(self.faults)
            self.servers[url].on_role = self._after_role
            self.servers[url].now = lambda: EPOCH.timestamp() + self.clock.monotonic()
        return self.servers[url]

    @property
    def elasticsearch(self) -> MemoryElasticsearch:
        """The first one."""
        return self.servers["https://one:9200"]

    # The operator

    def start(self) -> Process:
        """Start the operator."""
        inventory = Inventory(watched=Watched(self.kubernetes.watched.namespaces), clock=self.clock)
        watch = Watch(inventory)
        self.kubernetes.watchers = [watch]
        outbox = Outbox(self.kubernetes, inventory)
        context = Context(
            self.operator,
            inventory,
            self.kubernetes,
            outbox,
            self.clock,
            self.google,
            self.stores,
            ownership=self.ownership,
            gateways=self.gateways.gateways if self.runs_gateways else None,
        )
        host = Host(context, self, short_lived=self.short_lived)
        self.process = Process(inventory, watch, outbox, host, asyncio.create_task(self._run(host)))
        return self.process

    async def _run(self, host: Host) -> None:
        with capture_logs([merge_contextvars]) as logs:
            self.logs.append(logs)
            await host.run()

    async def stop(self) -> None:
        """Kill the operator: nothing of it runs any more."""
        self.kubernetes.watchers = []
        tasks = asyncio.all_tasks() - {asyncio.current_task(), *self.spared}
        for task in tasks:
            task.cancel()
        if self.process is not None:
            tasks.add(self.process.task)
        if tasks:
            await asyncio.wait(tasks)
        for task in tasks:
            with suppress(asyncio.CancelledError):
                task.exception()
        self.process = None
        self.faults.restart()

    async def restart(self) -> None:
        """Kill it and start it again."""
        await self.stop()
        self.restarts += 1
        self.start()

    async def dry_run(self, *manifests: dict[str, Any]) -> tuple[Change, ...]:
        """Say what a run that changes nothing would change; the operator is not to run meanwhile."""
        assert self.process is None
        before = len(self.faults.writes)
        dry_run, inventory = DryRun(), Inventory(clock=self.clock)
        kubernetes = observed(self.kubernetes, manifests)
        outbox = Outbox(kubernetes, inventory)
        context = Context(
            OPERATOR,
            inventory,
            kubernetes,
            outbox,
            self.clock,
            self.google,
            self.stores,
            dry_run=dry_run,
            gateways=self.gateways.gateways if self.runs_gateways else None,
        )
        host = Host(context, DryRunConnections(self, dry_run))
        running = asyncio.create_task(self._run(host))
        await asyncio.wait([running], timeout=QUIET)
        assert not host.is_busy()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        assert self.faults.writes[before:] == []
        return dry_run.changes

    async def find(self, spec: SearchClusterSpec) -> Connection:
        """Read what is needed to connect: the stage is its own connector."""
        return await find_connection(self.kubernetes, spec)

    async def resolve(self, host: str) -> tuple[str, ...]:
        """Look a host name up."""
        return self.addresses.get(host, (PRIVATE_ADDRESS,))

    async def open(self, connection: Connection, cluster: str = "") -> ElasticsearchPort:  # noqa: ARG002 - of the port
        """Return the server at an address."""
        self.connections.append(connection)
        server = self.server(connection.urls[0])
        if connection.username.startswith("searchaccess-gateway."):
            return GatewaySession(server, connection)
        return server

    async def quiet(self) -> None:
        """Wait until the operator has nothing left to write; start it again whenever it crashed."""
        loop = asyncio.get_running_loop()
        begin = since = loop.time()
        written = len(self.faults.writes)
        while loop.time() - since < QUIET:
            await asyncio.sleep(POLL)
            if self.faults.dead:
                await self.restart()
            assert self.process is not None
            assert not self.process.task.done(), self.process.task.exception()
            busy = self.process.outbox.pending or self.process.watch.pending
            if len(self.faults.writes) != written or busy:
                written, since = len(self.faults.writes), loop.time()
            assert loop.time() - begin < NEVER_QUIET, f"never quiet: {self.faults.writes[-6:]}"

    async def sleep(self, seconds: float) -> None:
        """Let time pass, whatever the operator does; minutes with few probes, which would be most of what they cost.

        A test that counts probes uses ``asyncio.sleep``.
        """
        if seconds >= LONG and self.process is not None:
            with few_probes(self.process.host):
                await asyncio.sleep(seconds - RECOVERS)
            seconds = RECOVERS
        await asyncio.sleep(seconds)

    def call_later(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something after a while."""
        asyncio.get_running_loop().call_later(seconds, action)

    async def reconcile_all(self) -> list[Call]:
        """Let the operator reconcile every cluster fully; return what it wrote."""
        assert self.process is not None
        before = len(self.faults.writes)
        for name in self.process.inventory.clusters:
            self.process.inventory.marks.mark_cluster(name, full=True)
        await self.quiet()
        return self.faults.writes[before:]

    # Users

    def apply(self, *objects: Mapping[str, Any]) -> None:
        """Create objects, or give existing ones their spec and annotations."""
        for raw in objects:
            key = key_of(raw)
            if key not in self.kubernetes.objects:
                self.kubernetes.create(raw)
                continue

            def update(known: dict[str, Any], raw: Mapping[str, Any] = raw) -> None:
                known["spec"] = copied(raw["spec"])
                known["metadata"]["annotations"] = dict(raw["metadata"].get("annotations") or {})

            self.kubernetes.change(key, update)

    def amend(self, name: str, **spec: Any) -> None:
        """Change some of a SearchAccess's spec."""
        self.kubernetes.change(access_key(name), lambda raw: raw["spec"].update(spec))

    def annotate(self, key: Key, annotation: str, value: str) -> None:
        """Annotate an object."""
        self.kubernetes.change(key, lambda raw: raw["metadata"]["annotations"].update({annotation: value}))

    def delete(self, name: str) -> None:
        """Delete a SearchAccess."""
        self.kubernetes.delete(access_key(name))

    def get(self, name: str) -> dict[str, Any]:
        """Return a SearchAccess; empty when there is none."""
        return self.kubernetes.objects.get(access_key(name), {})

    def cluster(self, name: str = CLUSTER) -> dict[str, Any]:
        """Return a SearchCluster; empty when there is none."""
        return self.kubernetes.objects.get((Plural.CLUSTERS, "", name), {})

    def ready(self, name: str) -> tuple[str, str]:
        """Return status and reason of a SearchAccess's Ready."""
        found = condition_in(self.get(name), "Ready")
        return found.get("status", ""), found.get("reason", "")

    def cluster_ready(self, name: str = CLUSTER) -> tuple[str, str]:
        """Return status and reason of a SearchCluster's Ready."""
        found = condition_in(self.cluster(name), "Ready")
        return found.get("status", ""), found.get("reason", "")

    def notes(self, name: str) -> list[str]:
        """Return the reasons of the events about an object, in order."""
        return [str(note.reason) for ref, note in self.kubernetes.events if ref.name == name]

    def role(self, principal: str) -> dict[str, Any]:
        """Return a principal's role as Elasticsearch has it; empty when there is none."""
        return self.elasticsearch.roles_now.get(OPERATOR.role_name(principal), {})

    # What must always be true

    def _after_role(self, name: str, raw: Mapping[str, Any]) -> None:
        for uid in owner_uids(raw):
            owner = self.kubernetes.with_uid(uid)
            if owner is None or FINALIZER not in owner["metadata"].get("finalizers", []):
                self.violations.append(f"{name} was written with rights of {uid}, which nothing holds back")

    def _before_finalizers(self, raw: dict[str, Any], finalizers: Sequence[str]) -> None:
        if FINALIZER in finalizers or FINALIZER not in raw["metadata"].get("finalizers", []):
            return
        uid = raw["metadata"]["uid"]
        for url, server in self.servers.items():
            left = [name for name, role in server.roles_now.items() if uid in owner_uids(role)]
            if raw["kind"] == "SearchCluster":
                left = []
                if url in raw["spec"]["urls"] and not self._has_successor(raw, url):
                    left = [name for name, item in server.mappings_now.items() if OPERATOR.owns(item["metadata"])]
            if left:
                self.violations.append(f"{raw['metadata']['name']} was let go although {left} is there")

    def _has_successor(self, raw: Mapping[str, Any], url: str) -> bool:
        """Say whether another SearchCluster will remove what is left in an Elasticsearch."""
        return any(
            key[0] is Plural.CLUSTERS
            and another["metadata"]["uid"] != raw["metadata"]["uid"]
            and url in another["spec"]["urls"]
            and FINALIZER in another["metadata"].get("finalizers", [])
            for key, another in self.kubernetes.objects.items()
        )

    def check_rules(self) -> None:
        """Check that no rule was ever broken, and that nothing failed inside the operator."""
        assert not self.violations, self.violations
        faults = [entry for logs in self.logs for entry in logs if entry["event"] == "internal error"]
        # What a test raised itself is no surprise.
        surprises = [entry for entry in faults if not entry["frames"][-1].startswith("test_")]
        assert self.faults.broke or not surprises, surprises

    # What must be true when all is quiet

    def check(self, frozen: Mapping[str, Share] | None = None) -> None:
        """Check that both sides agree with what is declared.

        Args:
            frozen: by uid, what held SearchAccesses have.
        """
        self.check_rules()
        enforced: dict[str, list[Access]] = {}
        held = frozen or {}
        for key, raw in self.kubernetes.objects.items():
            if key[0] is not Plural.ACCESSES:
                continue
            access = access_from_object(raw)
            assert not access.deleted_at, f"{access.ref} is not let go"
            if access.uid in held or decide(access, OPEN).do is Do.ENFORCE:
                enforced.setdefault(access.principal, []).append(access)
            if access.uid not in held and decide(access, OPEN).do is Do.ENFORCE:
                ready = condition_in(raw, "Ready")
                assert (ready.get("status"), ready.get("reason")) == ("True", "InSync"), (access.ref, raw.get("status"))
                assert ready["observedGeneration"] == raw["metadata"]["generation"]
                assert access.has_finalizer
        self._check_roles(enforced, held)
        self._check_mapping(needed=any(one.uid not in held for members in enforced.values() for one in members))

    def _check_roles(self, accesses: Mapping[str, Sequence[Access]], held: Mapping[str, Share]) -> None:
        ours = {
            name: raw for name, raw in self.elasticsearch.roles_now.items() if OPERATOR.owns(raw.get("metadata", {}))
        }
        wanted = {OPERATOR.role_name(principal): members for principal, members in accesses.items()}
        wanted = {
            name: members
            for name, members in wanted.items()
            if any(member.uid not in held or held[member.uid] != Share() for member in members)
        }
        assert set(ours) == set(wanted)
        for name, members in wanted.items():
            shares = [held.get(member.uid, member.share) for member in members]
            body = role_from_json(ours[name])
            assert sorted(body.entries) == sorted(entry for share in shares for entry in share.entries), name
            assert body.cluster == tuple(sorted({item for share in shares for item in share.cluster})), name
            assert not body.other, name
            owners = {member.uid for member in members if held.get(member.uid, member.share) != Share()}
            assert owner_uids(ours[name]) == owners, name

    def _check_mapping(self, *, needed: bool) -> None:
        name = OPERATOR.mapping_name
        found = self.elasticsearch.mappings_now.get(name)
        # While nobody needs it, what others do to it is only reported.
        if needed:
            assert found is not None, "there is no role mapping"
            observed = mapping_of(name, found)
            assert OPERATOR.owns(observed.metadata)
            assert observed.body == build_template_mapping(OPERATOR, REALM, PrincipalClaim.EMAIL).body


@contextmanager
def few_probes(host: Host) -> Iterator[None]:
    """Let an operator's probes and fingerprints be far apart for a while; one of each follows soon."""
    schedules = [running.reconciler._schedule for running in host._running.values()]
    declared = [(one, one._probe_every, one._fingerprint_every) for one in schedules if one._probe_every < FAR_APART]
    for one, _, _ in declared:
        one._probe_every = one._fingerprint_every = FAR_APART
    try:
        yield
    finally:
        for one, probe, fingerprint in declared:
            one._probe_every, one._fingerprint_every = probe, fingerprint
            now = one._clock.monotonic()
            one._next_probe = min(one._next_probe, now + probe)
            if one._next_fingerprint < NEVER:  # None is due until all is well.
                one._next_fingerprint = min(one._next_fingerprint, now + fingerprint)


def access_key(name: str) -> Key:
    """Return where a SearchAccess is kept."""
    return Plural.ACCESSES, "shop", name


def on_stage(play: Callable[[Stage], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Make a test of a play: the operator runs, in virtual time, and no rule may be broken."""

    async def perform() -> None:
        stage = Stage()
        stage.start()
        await play(stage)
        await stage.stop()
        stage.check_rules()

    def test() -> None:
        run_virtually(perform())

    test.__name__, test.__doc__ = play.__name__, play.__doc__
    return test
