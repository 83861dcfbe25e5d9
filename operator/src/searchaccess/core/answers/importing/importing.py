"""Turns what Elasticsearch has into SearchAccesses that grant the same, and reports the rest with reasons."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from searchaccess.api.searchcluster import PrincipalClaim
from searchaccess.api.vocabulary.privileges import CLUSTER_PRIVILEGES, DECLARABLE_ON_CLUSTER
from searchaccess.core.answers.importing.assembling import Assembled, Header, Piece, assemble, name_for
from searchaccess.core.answers.importing.grants import Problem, Written, label_of, written
from searchaccess.core.answers.importing.logins import SUBJECT_MAP, Login, logins_of
from searchaccess.core.answers.importing.material import Material
from searchaccess.core.answers.importing.merging import Place, merged
from searchaccess.core.answers.importing.reasons import Leftover, Why
from searchaccess.core.answers.importing.rest import rest_of
from searchaccess.core.answers.importing.subjects import SubjectMap, Target
from searchaccess.core.model.access import Access, Subject
from searchaccess.core.model.canonical import RoleBody
from searchaccess.core.model.restrictions.union import Together, restricts, widening_grants
from searchaccess.core.rights.foreign.additions import Budget, Declared, added_by

_BY_FIELD = ((".where", Why.QUERY), (".fields", Why.FIELDS))


def _accepted(access: Access) -> str:  # noqa: ARG001 - without policies, everything is accepted
    return ""


@dataclass(frozen=True)
class Wish:
    """What is wanted.

    Args:
        cluster: name of the SearchCluster.
        namespace: of the SearchAccesses.
        subjects: what a person says about who uses what.
        realm: name of the JWT realm; empty: any that role mappings name.
        claim: by which claim of their tokens callers are known.
        refusal: returns why policies would refuse a SearchAccess; empty: they would not.
        declared: SearchAccesses that there are: what they grant already is not written again.
    """

    cluster: str
    namespace: str
    subjects: SubjectMap = field(default_factory=SubjectMap)
    realm: str = ""
    claim: PrincipalClaim = PrincipalClaim.EMAIL
    refusal: Callable[[Access], str] = _accepted
    declared: tuple[Access, ...] = ()

    def by_subject(self) -> dict[Subject | None, tuple[Access, ...]]:
        """Return the SearchAccesses in whose rights a subject's new ones are merged."""
        found: dict[Subject | None, tuple[Access, ...]] = {}
        for one in self.declared:
            if one.cluster == self.cluster and not (one.has_credential or one.is_over):
                found[one.subject] = (*found.get(one.subject, ()), one)
        return found


@dataclass(frozen=True, slots=True)
class Made:
    """A SearchAccess that grants what its subject has by one role today."""

    manifest: dict[str, Any]
    source: str
    """Such as ``role orders-writer``."""
    subject: str
    by: tuple[str, ...]
    """How the subject has the role, such as ``role mapping orders``."""
    declared_by: tuple[str, ...] = ()
    """SearchAccesses that grant all of it already, as ``namespace/name``, whatever their mode is; none: it is new."""

    @property
    def ref(self) -> str:
        """``namespace/name`` of the new SearchAccess, or of those that are there already."""
        own = f"{self.manifest['metadata']['namespace']}/{self.manifest['metadata']['name']}"
        return ", ".join(self.declared_by) or own


@dataclass(frozen=True, slots=True)
class Imported:
    """The result."""

    made: tuple[Made, ...]
    """With what is declared already."""
    leftovers: tuple[Leftover, ...]
    ours: int
    """Number of objects that an operator manages already."""
    notes: tuple[str, ...] = ()
    partial: bool = False
    """Not everything could be read."""

    @property
    def new(self) -> tuple[Made, ...]:
        """The SearchAccesses that are not declared yet."""
        return tuple(one for one in self.made if not one.declared_by)

    @property
    def replaced(self) -> tuple[str, ...]:
        """Sources of which nothing is left: nobody needs them once the SearchAccesses are enforced."""
        if self.partial:
            return ()
        needed = {leftover.source for leftover in self.leftovers}
        needed |= {f"role {role}" for leftover in self.leftovers for role in leftover.roles}
        return tuple(sorted({made.source for made in self.made} - needed))

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON, for scripts, and for kubectl: a list of the new SearchAccesses, with a report."""
        made = [
            {
                "searchAccess": one.ref,
                "declared": bool(one.declared_by),
                "source": one.source,
                "subject": one.subject,
                "by": list(one.by),
            }
            for one in self.made
        ]
        report = {
            "imported": made,
            "replaced": list(self.replaced),
            "leftovers": [leftover.to_json() for leftover in self.leftovers],
            "alreadyManaged": self.ours,
            "notes": list(self.notes),
        }
        items = [one.manifest for one in self.new]
        return {"apiVersion": "v1", "kind": "List", "items": items, "report": report}


@dataclass(slots=True)
class _Holding:
    """A role that a subject has."""

    body: RoleBody
    by: set[str] = field(default_factory=set)
    merged: dict[int, Place] = field(default_factory=dict)
    restricted: set[tuple[str, ...]] = field(default_factory=set)
    """Indices of all restricted entries of its logins."""


@dataclass(slots=True)
class _Found:
    """What is known so far."""

    declared: Mapping[Subject | None, tuple[Access, ...]]
    """What each subject has already."""
    holdings: dict[tuple[str, Target], _Holding] = field(default_factory=dict)
    left: list[Leftover] = field(default_factory=list)
    together: dict[Target, Together] = field(default_factory=dict)
    """What each subject gets, for the check that two grants together show no more than both."""


def import_all(material: Material, wish: Wish) -> Imported:
    """Return SearchAccesses for what a cluster has, and what is left.

    A SearchAccess grants one subject exactly what one role gives it. All of them are in the mode Observe.
    """
    found = _Found(wish.by_subject(), left=list(material.leftovers))
    logins = logins_of(material, wish.subjects, wish.realm, wish.claim)
    found.left += logins.leftovers
    for login in logins.logins:
        _take_in(login, material, found)
    found.left += _without_holder(material, found, logins.logins)
    subjects = Counter(source for source, _ in found.holdings)
    made, names = list[Made](), {one.name for one in wish.declared if one.namespace == wish.namespace}
    for (source, target), holding in sorted(found.holdings.items(), key=lambda item: item[0]):
        own = source.partition(" ")[2].removeprefix("key ")
        name = name_for(f"{own}-{target.short}" if subjects[source] > 1 else own, names)
        header = Header(name, wish.namespace, wish.cluster, target, source)
        if one := _make(header, holding, wish, found):
            names |= {name} if not one.declared_by else set()
            made.append(one)
    left = sorted(set(found.left))
    return Imported(tuple(made), tuple(left), material.ours, material.notes, material.partial)


def _take_in(login: Login, material: Material, found: _Found) -> None:
    """Note what a login has, and what of it Elasticsearch merges."""
    bodies = dict(login.own) or {
        held.role: material.roles[held.role].body
        for held in login.held
        if held.role in material.roles and not material.roles[held.role].disabled
    }
    together = merged(bodies)
    for held in login.held:
        role, label = held.role, login.target.label
        if not held.imported:
            continue
        if not login.own and role in material.roles and role not in bodies:
            text = "it is disabled"
            found.left.append(Leftover(f"role {role}", "", Why.DISABLED, text, label, (role,)))
            continue
        if role not in bodies:
            if held.by != SUBJECT_MAP:
                text = f"{held.by} gives it, and it is not there: it may be in a file of the nodes"
                found.left.append(Leftover(f"role {role}", "", Why.ROLE_MISSING, text, label, (role,)))
            continue
        if not login.own and material.roles[role].built_in:
            text = f"{held.by} gives it, and it comes with Elasticsearch, whose releases change it"
            found.left.append(Leftover(f"role {role}", "", Why.BUILT_IN_ROLE, text, label, (role,)))
            continue
        source = f"API key {role}" if login.own else f"role {role}"
        holding = found.holdings.setdefault((source, login.target), _Holding(bodies[role]))
        holding.by.add(held.by)
        holding.restricted |= {one.indices for body in bodies.values() for one in body.entries if restricts(one)}
        holding.merged |= {place[1]: other for place, other in together.items() if place[0] == role}


def _without_holder(material: Material, found: _Found, logins: Iterable[Login]) -> Iterator[Leftover]:
    """Yield the roles that nobody has, as far as is known."""
    known = {held.role for login in logins for held in login.held}
    known |= {role for leftover in found.left for role in leftover.roles}
    for name, role in sorted(material.roles.items()):
        if name not in known and not role.built_in:
            yield Leftover(f"role {name}", "", Why.NO_SUBJECT, "no role mapping and no user gives it", roles=(name,))


def _make(header: Header, holding: _Holding, wish: Wish, found: _Found) -> Made | None:
    """Return a SearchAccess, if any of a role can be one."""
    left, label = found.left, header.target.label
    rest = [Leftover(header.source, part, why, text, label) for part, why, text in rest_of(holding.body)]
    left += rest
    if any(one.why is Why.UNKNOWN_FIELD for one in rest):
        # It may limit all that the role grants.
        return None
    pieces = list(_pieces(header, holding, found))
    cluster = [name for name in holding.body.cluster if name in DECLARABLE_ON_CLUSTER]
    left += _refused_on_cluster(header, holding.body)
    if not pieces and not cluster:
        if not any(leftover.source == header.source for leftover in left):
            left.append(Leftover(header.source, "", Why.NOTHING_GRANTED, "it grants nothing"))
        return None
    whole = _exactly(header, pieces, cluster, left)
    if whole is None:
        return None
    by = tuple(sorted(holding.by))
    if known := _covering(whole.access, found.declared.get(header.target.subject, ())):
        return Made(whole.manifest, header.source, label, by, known)
    if refusal := wish.refusal(whole.access):
        left.append(Leftover(header.source, "", Why.POLICY, refusal, label))
        return None
    return Made(whole.manifest, header.source, label, by)


def _covering(access: Access, there: tuple[Access, ...]) -> tuple[str, ...]:
    """Return which SearchAccesses grant all that another one would; none: they do not, or that cannot be seen."""
    body = access.share.body
    for some in (*((one,) for one in there), there):
        if some and not added_by(body, Declared.of(one.share for one in some), Budget()):
            return tuple(sorted(one.ref for one in some))
    return ()


def _pieces(header: Header, holding: _Holding, found: _Found) -> Iterator[Piece]:
    """Yield the entries of a role that a SearchAccess can grant; the others are noted."""
    together = found.together.get(header.target)
    if together is None:
        together = found.together[header.target] = Together()
        for known in found.declared.get(header.target.subject, ()):
            together.add(known.share.entries, known.ref)
    for position, entry in enumerate(holding.body.entries):
        label, problem = label_of(entry, position), None
        if position in holding.merged:
            role, other = holding.merged[position]
            text = f"Elasticsearch merges it with indices[{other}] of {role}, which has the same names"
            problem = Problem(Why.MERGED, text)
        else:
            as_grants = written(entry)
            if isinstance(as_grants, Problem):
                problem = as_grants
            elif not restricts(entry) and not holding.restricted.isdisjoint(_divided(as_grants)):
                text = "one of its grants would be merged with a restricted entry of the same names"
                problem = Problem(Why.MERGED, text)
            else:
                piece = Piece(position, entry, as_grants)
                alone = assemble(header, [piece], ())
                problem = _refused(alone, together)
                if problem is None:
                    together.add(alone.access.share.entries, f"{header.source} {label}")
                    yield piece
        if problem is not None:
            found.left.append(Leftover(header.source, label, problem.why, problem.message, header.target.label))


def _divided(found: Written) -> set[tuple[str, ...]]:
    """Return the indices of grants into which an entry is divided; none if it is one grant."""
    grants = found.forms[0]
    return {tuple(grant["indices"]) for grant in grants} if len(grants) > 1 and not found.kibana else set()


def _refused(alone: Assembled, together: Together) -> Problem | None:
    """Return why an entry cannot be granted; None: it can."""
    if alone.problem:
        text = alone.problem.removeprefix("spec.grants[0].").removeprefix("spec.")
        why = next((why for part, why in _BY_FIELD if f"grants[0]{part}" in alone.problem), Why.INVALID)
        return Problem(why, text)
    if alone.different:
        return Problem(Why.INVALID, "no grant means exactly the same")
    conflict = together.conflict(alone.access.share.entries, "it")
    return Problem(Why.WIDENS, widening_grants(conflict)) if conflict else None


def _exactly(header: Header, pieces: list[Piece], cluster: list[str], left: list[Leftover]) -> Assembled | None:
    """Return a SearchAccess that grants each piece exactly, without those that it would not; None: there is none."""
    whole = assemble(header, pieces, cluster)
    if whole.different:
        for piece in (one for one in pieces if one.position in whole.different):
            text = "beside its other entries no grant means exactly the same"
            part = label_of(piece.entry, piece.position)
            left.append(Leftover(header.source, part, Why.INVALID, text, header.target.label))
        rest = [one for one in pieces if one.position not in whole.different]
        return _exactly(header, rest, cluster, left) if rest or cluster else None
    if whole.problem:
        left.append(Leftover(header.source, "", Why.TOO_LARGE, whole.problem, header.target.label))
        return None
    return whole


def _refused_on_cluster(header: Header, body: RoleBody) -> Iterator[Leftover]:
    for name in body.cluster:
        if name not in DECLARABLE_ON_CLUSTER:
            known = CLUSTER_PRIVILEGES.get(name)
            why = known.says if known else "it is not a privilege that a SearchAccess knows"
            yield Leftover(header.source, f"cluster ({name})", Why.CLUSTER_PRIVILEGE, why, header.target.label)
