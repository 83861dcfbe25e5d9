"""Plans against what is in Elasticsearch now."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from searchaccess.api.constants import ROLE_PREFIX
from searchaccess.core.answers.changes import Change
from searchaccess.core.answers.plan.cover import Effort
from searchaccess.core.answers.plan.files import rights_after, rights_before
from searchaccess.core.answers.plan.model import Object, ObjectChange, Plan, RoleChange, sorted_objects, sorted_roles
from searchaccess.core.answers.plan.objects import changes_between
from searchaccess.core.answers.plan.roles import Caller, Rights, change_of, compare
from searchaccess.core.answers.plan.stated import Declared, Effect, Stated
from searchaccess.core.answers.summary import Exit, Line, Summary
from searchaccess.core.model.access import Share
from searchaccess.core.model.identities.workload import Workload
from searchaccess.core.rights.attribution import split
from searchaccess.core.rights.ownership import Role, metadata_from_json

_CREDENTIAL = "credential "


def plan_of_run(summary: Summary, before: Declared, after: Declared, against: str = "live") -> Plan:
    """Return what a dry run of the loop would change.

    Args:
        summary: of the dry run.
        before: what the API server declares of that which the files replace.
        after: what the files declare.
        against: what it was compared with.
    """
    changes = summary.changes or ()
    effort = Effort()
    roles = {change: found for change in changes if (found := _of_change(change, effort))}
    credentials = compare(_of_credentials(rights_before(before)), _of_credentials(rights_after(before, after)))
    lines = {(line.kind, line.name): line for line in summary.lines}
    objects = sorted_objects(_with_lines(changes_between(before, after), lines, after))
    others = tuple(_in_words(change) for change in changes if change not in roles)
    unfinished = summary.unfinished or (f"{summary.faults} internal errors, see the log" if summary.faults else "")
    return Plan(against, sorted_roles([*roles.values(), *credentials]), objects, others, unfinished)


def _of_change(change: Change, effort: Effort) -> RoleChange | None:
    if change.rights is None:
        return None
    caller = Caller(change.cluster, change.rights.principal or change.object)
    return change_of(caller, change.rights.before, change.rights.after, change.owners, effort)


def _of_credentials(rights: Rights) -> Rights:
    return Rights({caller: parts for caller, parts in rights.parts.items() if caller.name.startswith(_CREDENTIAL)})


def _in_words(change: Change) -> str:
    wanted = "; ".join(item.want for item in change.differences if item.path == "next" and item.want)
    return f"{change.action} {change.object} (cluster {change.cluster})" + (f": {wanted}" if wanted else "")


def _with_lines(
    changes: Iterable[ObjectChange], lines: Mapping[tuple[str, str], Line], after: Declared
) -> Iterator[ObjectChange]:
    """Yield manifests with what the loop says of them, which knows more than files do, and what else failed."""
    shown = set[tuple[str, str]]()
    for change in changes:
        shown.add((change.kind, change.name))
        line = lines.get((change.kind, change.name))
        yield change if line is None else _with_line(change, line)
    for (kind, name), line in lines.items():
        is_ours = kind == "SearchCluster" or name in after.accesses
        if (kind, name) not in shown and is_ours and line.code is Exit.FAILED:
            yield _with_line(ObjectChange(kind, name, Object.SAME), line)


def _with_line(change: ObjectChange, line: Line) -> ObjectChange:
    failed = line.code is Exit.FAILED
    if not failed and not change.failed:
        return change
    return replace(change, problem=f"{line.reason or 'no status yet'}: {line.message}" if failed else "", failed=failed)


@dataclass(slots=True)
class Found:
    """What roles in Elasticsearch grant.

    Args:
        rights: by caller and SearchAccess.
        callers: who has the rights of a SearchAccess, by ``namespace/name``.
    """

    rights: Rights = field(default_factory=Rights)
    callers: dict[str, Caller] = field(default_factory=dict)

    def add(self, cluster: str, instance: str, roles: Iterable[Role]) -> None:
        """Add the roles of one installation.

        Args:
            cluster: the SearchCluster's name.
            instance: name of the installation.
            roles: any roles; those of others are left out.
        """
        for role in roles:
            if not role.name.startswith(f"{ROLE_PREFIX}.{instance}."):
                continue
            metadata = metadata_from_json(role.metadata)
            caller, shares = Caller(cluster, metadata.principal or role.name), split(role.body, metadata)
            for record in metadata.records:
                ref = f"{record.namespace}/{record.name}"
                self.callers[ref] = caller
                self.rights.add(caller, ref, shares.by_uid.get(record.uid, Share()))
            left = [shares.released, shares.extra]
            entries = tuple(entry for share in left for entry in share.entries)
            self.rights.add(caller, "", Share(entries, tuple(sorted({name for each in left for name in each.cluster}))))


def plan_with_roles(declared: Declared, found: Found, clusters: Collection[str]) -> Plan:
    """Return what manifests would change in roles, without knowing what Kubernetes declares.

    SearchAccesses that are not in the files keep what they have.

    Args:
        declared: what the files declare.
        found: the roles.
        clusters: the SearchClusters whose roles were read.
    """
    wanted = {ref: stated for ref, stated in declared.accesses.items() if stated.access.cluster in clusters}
    after = Rights()
    for caller, parts in found.rights.parts.items():
        for ref, share in parts.items():
            if ref not in wanted or wanted[ref].effect is Effect.HELD:
                after.add(caller, ref, share)
    for ref, stated in wanted.items():
        if stated.effect is Effect.GRANTED and not stated.access.has_credential:
            after.add(_caller(stated, found.callers.get(ref)), ref, stated.share)
    reports = (
        replace(each, change=Object.SAME, note=_note(declared.accesses.get(each.name), clusters))
        for each in changes_between(Declared(), declared)
    )
    problems = [each for each in reports if each.problem or each.verdicts or each.note]
    return Plan("elasticsearch", compare(found.rights, after), sorted_objects(problems))


def _caller(stated: Stated, known: Caller | None) -> Caller:
    """Return who gets rights: which account a workload runs as is only known from the role that it has."""
    return known if known and isinstance(stated.access.subject, Workload) else stated.caller


def _note(stated: Stated | None, clusters: Collection[str]) -> str:
    """Return why the rights of a SearchAccess were not compared; empty: they were."""
    if stated is None:
        return ""
    if stated.access.cluster not in clusters:
        return f"its rights were not compared: it names SearchCluster {stated.access.cluster}"
    return "its credential was not compared: only the operator knows it" if stated.access.has_credential else ""
