"""Random histories of one principal: declarations, deletions, interrupted passes and tampering always converge."""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from searchaccess.api.status import SearchAccessStatus
from searchaccess.core.model.access import Access
from searchaccess.core.model.canonical import canonical_json, entry_from_json
from searchaccess.core.model.parsing import access_from_object
from searchaccess.core.policy.decision import Do
from searchaccess.core.rights.compose import Member
from searchaccess.core.rights.ownership import RoleMetadata, metadata_from_json
from searchaccess.core.rights.plan import Finding
from searchaccess.core.rights.recollection import Seen
from searchaccess.core.status.access import AccessFacts, build_access_status
from searchaccess.core.status.placed import placed_by, seen_of
from tests.support.runs.effort import examples
from tests.unit.builders import NOW, OPERATOR, ROLE, UUID, a_grant, a_member, a_search_access
from tests.unit.world import World, as_served

SLOTS = ("a", "b", "c", "d")
FOREIGN = "x-"
VERSIONS = st.integers(0, 3)
COUNTS = st.integers(1, 2)
PLACES = st.integers(0, 9)
MODES = st.sampled_from(["Enforce", "Enforce", "Observe"])
POLICIES = st.sampled_from(["Delete", "Orphan", "Disable"])


@dataclass
class Live:
    """A SearchAccess in Kubernetes."""

    raw: dict[str, Any]
    tag: str
    """All its index names begin with it: so a test knows whose an entry is."""
    status: SearchAccessStatus = field(default_factory=SearchAccessStatus)

    @property
    def access(self) -> Access:
        return access_from_object(self.raw)

    @property
    def seen(self) -> Seen | None:
        return seen_of(placed_by(self.status), UUID)

    def change(self, **spec: Any) -> None:
        self.raw["spec"] |= spec
        self.raw["metadata"]["generation"] += 1


def declare(tag: str, version: int, count: int) -> list[dict[str, Any]]:
    can = (["read"], ["read", "write"], ["append"], ["delete", "read"])[version % 4]
    return [a_grant(f"{tag}-{number}-*", can=can) for number in range(count)]


class Histories(RuleBasedStateMachine):
    @initialize(begin=st.lists(st.tuples(VERSIONS, COUNTS, MODES, POLICIES), min_size=1, max_size=3))
    def start(self, begin: list[tuple[int, int, str, str]]) -> None:
        self.world = World()
        self.live: dict[str, Live] = {}
        self.released: set[str] = set()
        """Tags of those that left their rights behind."""
        self.created = 0
        for version, count, _, policy in begin:
            self._create(version, count, "Enforce", policy)
        self._pass(interrupted=False)
        for live, (_, _, mode, _) in zip(self.live.values(), begin, strict=True):
            live.change(mode=mode)

    # What people do in Kubernetes

    def _create(self, version: int, count: int, mode: str, policy: str) -> None:
        self.created += 1
        slot = next(slot for slot in SLOTS if slot not in self.live)
        tag = f"{slot}{self.created}"
        raw = a_search_access(slot, uid=tag, grants=declare(tag, version, count), mode=mode, deletionPolicy=policy)
        self.live[slot] = Live(raw, tag)

    def _pick(self, at: int) -> Live:
        live = list(self.live.values())
        return live[at % len(live)]

    @precondition(lambda self: len(self.live) < len(SLOTS))
    @rule(version=VERSIONS, count=COUNTS, mode=MODES, policy=POLICIES)
    def create(self, version: int, count: int, mode: str, policy: str) -> None:
        self._create(version, count, mode, policy)

    @precondition(lambda self: self.live)
    @rule(at=PLACES, version=VERSIONS, count=COUNTS)
    def change(self, at: int, version: int, count: int) -> None:
        live = self._pick(at)
        live.change(grants=declare(live.tag, version, count))

    @precondition(lambda self: self.live)
    @rule(at=PLACES, suspend=st.booleans(), mode=MODES)
    def hold_or_go_on(self, at: int, mode: str, *, suspend: bool) -> None:
        self._pick(at).change(suspend=suspend, mode=mode)

    @precondition(lambda self: self.live)
    @rule(at=PLACES)
    def delete(self, at: int) -> None:
        self._pick(at).raw["metadata"]["deletionTimestamp"] = NOW

    @precondition(lambda self: self.live)
    @rule(at=PLACES)
    def make_anew_without_finalizer(self, at: int) -> None:
        """As ``kubectl replace --force`` after somebody took the finalizer away: another uid, no status."""
        live = self._pick(at)
        if not live.access.deleted_at:
            self.created += 1
            live.raw["metadata"] |= {"uid": f"again-{self.created}", "generation": 1}
            live.status = SearchAccessStatus()

    # What people do in Elasticsearch

    def _entries(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.world.raw["indices"] if self.world.raw else []
        return found

    @precondition(lambda self: self.world.raw is not None)
    @rule(number=st.integers(0, 2), at=st.integers(0, 9))
    def tamper_add_entry(self, number: int, at: int) -> None:
        self._entries().insert(min(at, len(self._entries())), {"names": [f"{FOREIGN}{number}"], "privileges": ["all"]})

    @precondition(lambda self: self.world.raw is not None and self.world.raw["indices"])
    @rule(at=st.integers(0, 9))
    def tamper_remove_entry(self, at: int) -> None:
        entries = self._entries()
        entries.pop(at % len(entries))

    @precondition(lambda self: self.world.raw is not None and self.world.raw["indices"])
    @rule(at=st.integers(0, 9), how=st.sampled_from(["privileges", "query", "fields"]))
    def tamper_alter_entry(self, at: int, how: str) -> None:
        entry = self._entries()[at % len(self._entries())]
        if how == "privileges":
            entry["privileges"] = ["all", *entry["privileges"]]
        elif how == "query":
            entry["query"] = {"match_all": {}}
        else:
            entry["field_security"] = {"grant": ["public.*"]}
        assert self.world.raw is not None
        self.world.raw = as_served(self.world.raw)

    @precondition(lambda self: self.world.raw is not None)
    @rule(turns=st.integers(1, 3))
    def tamper_reorder(self, turns: int) -> None:
        entries = self._entries()
        for _ in range(min(turns, len(entries))):
            entries.append(entries.pop(0))

    @precondition(lambda self: self.world.raw is not None)
    @rule(key=st.sampled_from(["run_as", "cluster", "description"]))
    def tamper_role(self, key: str) -> None:
        assert self.world.raw is not None
        self.world.raw[key] = {"run_as": ["elastic"], "cluster": ["all"], "description": "mine"}[key]

    @precondition(lambda self: self.world.raw is not None)
    @rule(key=st.sampled_from(["owners", "spec_hash", "principal", "surprise"]))
    def tamper_metadata(self, key: str) -> None:
        assert self.world.raw is not None
        metadata = self.world.raw["metadata"]
        if key == "surprise":
            metadata["surprise"] = 1
        else:
            metadata.pop(key, None)

    @precondition(lambda self: self.world.raw is not None)
    @rule()
    def tamper_pretend_that_all_was_released(self) -> None:
        role = self.world.role
        assert role is not None
        assert self.world.raw is not None
        said = {"entries": [entry.hash for entry in role.body.entries], "cluster": ["all"]}
        self.world.raw["metadata"]["released"] = said

    @precondition(lambda self: self.world.released)
    @rule(at=PLACES, stop=st.booleans())
    def revoke_what_was_released(self, at: int, *, stop: bool) -> None:
        item = self.world.released[at % len(self.world.released)]
        self.world.revoke = frozenset() if stop else frozenset({item.name})

    @precondition(lambda self: self.world.raw is not None)
    @rule()
    def tamper_delete_role(self) -> None:
        self.world.raw = None

    @precondition(lambda self: self.world.raw is not None)
    @rule()
    def tamper_take_ownership(self) -> None:
        assert self.world.raw is not None
        self.world.raw["metadata"] = {}

    @rule()
    def allow_adoption(self) -> None:
        self.world.agree()

    # What the operator does

    def _members(self) -> list[Member]:
        return [a_member(live.access) for live in self.live.values()]

    def _seen(self) -> dict[str, Seen]:
        return {live.access.uid: live.seen for live in self.live.values() if live.seen}

    def _own(self, tag: str) -> list[str]:
        return [entry for entry in self.world.entries if f'"names":["{tag}-' in entry]

    @rule()
    def pass_(self) -> None:
        self._pass(interrupted=False)

    @rule()
    def pass_that_is_cut_off_before_statuses_are_written(self) -> None:
        self._pass(interrupted=True)

    def _pass(self, *, interrupted: bool) -> None:
        members, seen, writes = self._members(), self._seen(), self.world.writes
        role, rights = self.world.role, self.world.entries
        before = {tag: self._own(tag) for tag in {live.tag for live in self.live.values()} | self.released}
        plan = self.world.run(members, seen)
        written, revoked = self.world.writes > writes, plan.releasing.revoked
        ours = role is not None and OPERATOR.owns(role.metadata)
        metadata = metadata_from_json(role.metadata) if role is not None and ours else RoleMetadata()
        owners = {record.name for record in metadata.records}
        if (
            members
            and all(member.decision.do is Do.HOLD for member in members)
            and owners <= set(self.live)
            and not revoked
        ):
            assert not written, "hands off: all are held"
        if ours:
            self._check_rights(members, before, owners, seen)
        elif role is not None and not plan.changes:
            assert self.world.entries == rights, "hands off: foreign"
        for member in members:
            finding = plan.findings[member.access.uid]
            if member.decision.do is Do.ENFORCE and not finding.conflict:
                assert written or not finding.differences, "differences without a change would stay forever"
            if member.decision.do is Do.RELEASE:
                self.released.add(self.live[member.access.name].tag)
            if not interrupted:
                self._report(member, finding, applied=written)

    def _check_rights(
        self, members: list[Member], before: dict[str, list[str]], owners: set[str], seen: dict[str, Seen]
    ) -> None:
        """Check the rights of those of whom the role's metadata or a status knows, after a pass over a role of ours."""
        lost = [member.access for member in members if member.access.name not in owners]
        unclear = {access.uid for access in lost if seen.get(access.uid) != Seen(ROLE, access.share.hash)}
        for member in members:
            access = member.access
            tag = self.live[access.name].tag
            if access.uid in unclear and (access.uid not in seen or len(unclear) > 1):
                continue
            if member.decision.do in {Do.HOLD, Do.RELEASE}:
                assert self._own(tag) == before[tag], "held and released entries are as they were"
            if member.decision.do in {Do.REMOVE, Do.DISABLE}:
                assert not self._own(tag), "removed ones have nothing"
        for tag in self.released:
            remembered = {entry for item in self.world.released for entry in item.entries}
            there = [entry for entry in before[tag] if entry_from_json(json.loads(entry)).hash in remembered]
            assert Counter(there) <= Counter(self._own(tag)), "released entries stay as they are remembered"

    def _report(self, member: Member, finding: Finding, *, applied: bool) -> None:
        live = self.live[member.access.name]
        if member.access.deleted_at:
            if not finding.conflict:
                del self.live[member.access.name]
            return
        facts = AccessFacts(
            access=member.access,
            decision=member.decision,
            finding=finding,
            applied=applied and member.decision.do is Do.ENFORCE and bool(finding.differences),
            role=ROLE,
            mapping=OPERATOR.mapping_name,
            cluster_uuid=UUID,
        )
        live.status = build_access_status(facts, live.status, NOW)

    @rule()
    def quiet(self) -> None:
        """Nobody does anything any more: after two passes all is as declared."""
        self._pass(interrupted=False)
        self._pass(interrupted=False)
        members = self._members()
        plan = self.world.plan(members, self._seen())
        assert not plan.changes, "a further plan is empty"
        role = self.world.role
        if role is not None and not OPERATOR.owns(role.metadata):
            return
        enforced = [member.access for member in members if member.decision.do is Do.ENFORCE]
        for access in enforced:
            finding = plan.findings[access.uid]
            assert not finding.differences
            assert not finding.pending
            wanted = sorted(canonical_json(entry.to_json()) for entry in access.share.entries)
            assert self._own(self.live[access.name].tag) == wanted, "exactly the declared share"
        if enforced:
            assert role is not None
            recorded = {item for owner in role.metadata["owners"] for item in owner["entries"]}
            remembered = {entry for item in self.world.released for entry in item.entries}
            assert recorded <= {entry.hash for entry in role.body.entries} <= recorded | remembered, "nothing extra"
            assert role.body.cluster in {(), ("all",)} if self._somebody_holds(members) else role.body.cluster == ()
            assert not role.body.other
        if not members and role is not None:
            assert not role.body.entries, "without members a role of ours is at most a note"

    def _somebody_holds(self, members: list[Member]) -> bool:
        return bool(self.released) or any(member.decision.do is Do.HOLD for member in members)


Histories.TestCase.settings = settings(
    max_examples=examples(200), stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestHistories = Histories.TestCase
