"""What a role adds to what is declared. What takes too long to compare counts as added.

Every part of a role is compared by itself: a privilege on an index pattern adds nothing if declared entries with that
privilege, together, have all indices of the pattern; for a privilege that shows documents, entries that show at least
the same documents and fields. So nothing is missed that the role adds, and of what it adds twice, something may be
named although the principal has it in another way.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from searchaccess.core.messages import some_of
from searchaccess.core.model.access import Share
from searchaccess.core.model.canonical import Entry, RoleBody
from searchaccess.core.model.grants.actions import in_short
from searchaccess.core.model.intake.metadata import bounded_text
from searchaccess.core.model.intake.reading import mapping
from searchaccess.core.model.restrictions.union import NAMED, allows_fields, fields_of, reads
from searchaccess.core.patterns.containment import measured
from searchaccess.core.patterns.namesets import has_all_of
from searchaccess.core.policy.delegation import implies, is_open

STEPS: Final = 30_000
"""Of all comparisons of others' roles with what one principal has: some 50 ms at most."""
_PARTS: Final = 3
"""Parts of what is added that a message names."""
_ALL: Final = "all"
_ANY: Final = "*"
_OPEN_ACTIONS: Final = {"read": "indices:data/read/", "monitor": "indices:monitor/"}
"""By privilege, what the names of actions begin with that it certainly allows."""
CLUSTER_IMPLIED: Final = {
    "monitor": frozenset({
        "monitor_inference", "monitor_ml", "monitor_rollup", "monitor_stats", "monitor_text_structure",
        "monitor_transform", "monitor_watcher",
    }),
    "manage_ilm": frozenset({"read_ilm"}),
    "manage_ingest_pipelines": frozenset({"manage_pipeline", "read_pipeline"}),
}  # fmt: skip
"""By privilege on the cluster that can be declared, others that it includes; a contract test verifies it."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What a principal has by its SearchAccesses."""

    entries: tuple[Entry, ...]
    cluster: frozenset[str]

    @classmethod
    def of(cls, shares: Iterable[Share]) -> "Declared":
        """Return the union of what several SearchAccesses grant."""
        found = tuple(shares)
        entries = dict.fromkeys(entry for share in found for entry in share.entries)
        return cls(tuple(entries), frozenset(name for share in found for name in share.cluster))


@dataclass(slots=True)
class Budget:
    """Limits the comparisons for one principal; what is left of it is reported with ``perhaps``."""

    steps: int = STEPS


def added_by(role: RoleBody, declared: Declared, budget: Budget) -> str:
    """Return what a role adds, for messages; empty: nothing.

    Args:
        role: what somebody else gives the principal.
        declared: what it has anyway.
        budget: of the principal.
    """
    found = _Comparison(declared, budget)
    for entry in role.entries:
        found.compare(entry)
    # What is on remote clusters comes last: it is often the longest.
    parts = [*found.parts(), *_on_cluster(role, declared), *_others(role), *found.on_remote_clusters()]
    return some_of(parts, _PARTS)


@dataclass(slots=True)
class _Comparison:
    declared: Declared
    budget: Budget
    actions: dict[tuple[str, str], None] = field(default_factory=dict)
    """Privileges and index patterns that are added."""
    remote: dict[str, None] = field(default_factory=dict)
    applications: dict[str, None] = field(default_factory=dict)
    documents: dict[str, None] = field(default_factory=dict)
    """Index patterns of which more documents show."""
    fields: dict[str, None] = field(default_factory=dict)
    restricted: dict[str, None] = field(default_factory=dict)
    """Privileges on Elasticsearch's own indices."""
    perhaps: bool = False

    def compare(self, entry: Entry) -> None:
        """Compare an entry, and remember what it adds."""
        if entry.application:
            self._compare_application(entry)
            return
        if entry.other:
            self.remote["rights that the operator does not know"] = None
        for privilege in map(str.lower, entry.privileges):
            if privilege != "none":
                self._compare_privilege(entry, privilege)

    def _compare_application(self, entry: Entry) -> None:
        has = [each for each in self.declared.entries if each.application == entry.application]
        for privilege in entry.privileges:
            alike = [each for each in has if not {privilege, _ALL}.isdisjoint(each.privileges)]
            names = {name for each in alike for name in each.names}
            if _ANY not in names and not names.issuperset(entry.names):
                self.applications[privilege] = None

    def _compare_privilege(self, entry: Entry, privilege: str) -> None:
        alike = self._with_privilege(entry, privilege)
        shows = reads(replace(entry, privileges=(privilege,)))
        judged = [
            (each, not shows or each.query in {"", entry.query}, not shows or self._allows_fields(each, entry))
            for each in alike
        ]
        documents = [each for each, has_documents, _ in judged if has_documents]
        fields = [each for each, _, has_fields in judged if has_fields]
        both = [each for each, has_documents, has_fields in judged if has_documents and has_fields]
        for name in entry.indices:
            if entry.restricted and is_open(name):
                self.restricted[privilege] = None
            if self._has(both, name):
                continue
            if not self._has(alike, name):
                self._miss(entry, privilege, name)
                continue
            less_documents, less_fields = not self._has(documents, name), not self._has(fields, name)
            if less_documents or not less_fields:
                self.documents[name] = None
            if less_fields or not less_documents:
                self.fields[name] = None

    def _miss(self, entry: Entry, privilege: str, name: str) -> None:
        if entry.clusters:
            self.remote[f"{in_short([privilege])} on {some_of(entry.clusters)}:{bounded_text(name, NAMED)}"] = None
        else:
            self.actions[privilege, name] = None

    def _with_privilege(self, entry: Entry, privilege: str) -> list[Entry]:
        """Return the declared entries that have a privilege on the same cluster."""
        found = []
        for each in self.declared.entries:
            self.budget.steps -= len(each.privileges)
            if self.budget.steps < 0:
                self.perhaps = True
                break
            same_place = not each.application and (
                has_all_of(each.clusters, entry.clusters) if each.clusters and entry.clusters
                else each.clusters == entry.clusters
            )  # fmt: skip
            if same_place and any(_includes(has.lower(), privilege) for has in each.privileges):
                found.append(each)
        return found

    def _allows_fields(self, has: Entry, entry: Entry) -> bool:
        answer = allows_fields(fields_of(has), fields_of(entry))
        self.budget.steps -= answer.steps
        return answer.yes

    def _has(self, entries: Sequence[Entry], name: str) -> bool:
        """Return whether entries have all indices of a pattern."""
        if self.budget.steps < 0:
            self.perhaps = True
            return False
        verdict, steps = measured(name, tuple(dict.fromkeys(one for each in entries for one in each.indices)))
        self.budget.steps -= steps
        self.perhaps |= verdict.undecided
        return verdict.contained

    def parts(self) -> list[str]:
        """Return what was found, for messages."""
        found = []
        if self.actions:
            privileges = sorted({privilege for privilege, _ in self.actions})
            names = sorted({name for _, name in self.actions})
            everywhere = _ANY in names
            where = "all indices" if everywhere else some_of([bounded_text(name, NAMED) for name in names])
            if _ALL in privileges:
                found.append(f"{where}, all actions" if everywhere else f"all actions on {where}")
            else:
                found.append(f"{in_short(privileges)} on {where}")
        if self.restricted and not any(privilege == _ALL and name == _ANY for privilege, name in self.actions):
            found.append(f"{in_short(self.restricted)} on Elasticsearch's own indices")
        for hidden, by in ((self.documents, "where"), (self.fields, "fields")):
            if hidden:
                what = "documents" if by == "where" else "fields"
                shown = some_of([bounded_text(name, NAMED) for name in hidden])
                found.append(f"{what} of {shown} that `{by}` hides")
        if self.applications:
            found.append(f"{some_of(sorted(self.applications))} in Kibana")
        return self._marked(found)

    def on_remote_clusters(self) -> list[str]:
        """Return what was found on remote clusters, for messages."""
        return self._marked(self.remote)

    def _marked(self, parts: Iterable[str]) -> list[str]:
        return [f"perhaps {part}" for part in parts] if self.perhaps else list(parts)


def _includes(has: str, privilege: str) -> bool:
    if implies(has, privilege) is True:
        return True
    return has in _OPEN_ACTIONS and privilege.startswith(_OPEN_ACTIONS[has])


def _on_cluster(role: RoleBody, declared: Declared) -> list[str]:
    has = {*declared.cluster, "none", *(one for name in declared.cluster for one in CLUSTER_IMPLIED.get(name, ()))}
    missing = sorted(name for name in map(str.lower, role.cluster) if name not in has)
    if _ALL in missing:
        return ["all cluster privileges"]
    return [f"cluster privileges {some_of(missing)}"] if missing else []


def _others(role: RoleBody) -> list[str]:
    """Return what a role has that a SearchAccess never declares."""
    rest: dict[str, Any] = dict(mapping(json.loads(role.other))) if role.other else {}
    found = []
    run_as = rest.pop("run_as", ())
    if run_as:
        names = [str(name) for name in (run_as if isinstance(run_as, list) else [run_as])]
        found.append("acting as anybody" if _ANY in names else f"acting as {bounded_text(some_of(names), NAMED)}")
    for key, what in (
        ("applications", "privileges of applications"),
        ("remote_cluster", "privileges on remote clusters"),
        ("global", "managing roles or applications of others"),
    ):
        if rest.pop(key, None):
            found.append(what)
    return found + [f"what the operator does not know ({key[:NAMED]})" for key in sorted(rest)]
