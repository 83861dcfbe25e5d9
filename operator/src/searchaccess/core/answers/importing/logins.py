"""Who has which of the roles that are imported, as Elasticsearch sees it now."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from searchaccess.api.searchcluster import PrincipalClaim
from searchaccess.core.answers.importing.material import FoundKey, FoundUser, Material
from searchaccess.core.answers.importing.reasons import Leftover, Why
from searchaccess.core.answers.importing.subjects import SubjectMap, Target, account
from searchaccess.core.messages import some_of
from searchaccess.core.model.canonical import RoleBody
from searchaccess.core.model.identities.workload import is_service_account, is_unique_id
from searchaccess.core.model.intake.bounds import excess
from searchaccess.core.model.intake.reading import DEPTH, mapping
from searchaccess.core.rights.foreign.rules import (
    DN,
    EMAIL,
    GROUPS,
    NOBODY,
    REALM,
    USERNAME,
    User,
    Value,
    applies,
    literals,
)
from searchaccess.core.rights.foreign.templates import rendered
from searchaccess.core.rights.mapping import SUB, RoleMapping

_NAMED: Final = (USERNAME, EMAIL, SUB)
SUBJECT_MAP: Final = "subject map"
_OF_PEOPLE: Final = (GROUPS, DN)
_MOST_PARTS: Final = 2000
"""Parts of the rules of one role mapping; one with more is not evaluated."""


@dataclass(frozen=True, slots=True)
class Held:
    """A role that somebody has."""

    role: str
    by: str
    """How, such as ``role mapping orders``."""
    imported: bool = True
    """False: it is only compared, because what gives it names nobody."""


@dataclass(frozen=True)
class Login:
    """One way in which a subject logs in today, with all that it may do.

    Args:
        name: for messages, such as ``user orders``.
        target: whose it is.
        held: its roles.
        own: roles that only this login has, by name: those of an API key.
    """

    name: str
    target: Target
    held: tuple[Held, ...] = ()
    own: Mapping[str, RoleBody] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Logins:
    """All logins whose rights are imported, and what is left."""

    logins: tuple[Login, ...]
    leftovers: tuple[Leftover, ...]


def logins_of(material: Material, subjects: SubjectMap, realm: str, claim: PrincipalClaim) -> Logins:
    """Return who has which roles.

    Args:
        material: what is imported.
        subjects: what a person says about it.
        realm: name of the JWT realm; empty: any realm that role mappings name.
        claim: by which claim of their tokens callers are known.
    """
    known = _Realm(realm, claim)
    left = [leftover for each in material.mappings for leftover in _left_of(each, subjects, known)]
    logins = [*_callers(material, subjects, known), *_users(material.users, subjects, left)]
    logins += _keys(material.keys, subjects, left)
    left += _unused(material, subjects)
    return Logins(tuple(logins), tuple(left))


@dataclass(frozen=True, slots=True)
class _Realm:
    """Where callers log in with tokens."""

    name: str
    """Empty: it is any that role mappings name."""
    claim: PrincipalClaim

    def applies(self, rules: object, name: str) -> bool | None:
        """Return whether rules apply to a caller of a name; None: that cannot be seen."""
        names = [self.name] if self.name else (sorted(set(literals(rules, (REALM,)))) or [""])
        found = [self._applies(rules, name, one) for one in names]
        return True if True in found else None if None in found else False

    def may_apply_to_others(self, rules: object, *, by_id: bool) -> bool:
        """Return whether rules may apply to callers that they do not name.

        Args:
            rules: of a role mapping.
            by_id: whether the callers are known by their unique ids alone.
        """
        names = [self.name] if self.name else (sorted(set(literals(rules, (REALM,)))) or [""])
        nobody: dict[str, Value] = {GROUPS: (), DN: None, EMAIL: NOBODY, USERNAME: NOBODY}
        nobody |= {SUB: NOBODY} if by_id else {}
        return any(applies(rules, User({REALM: name, **nobody})) is not False for name in names)

    def _applies(self, rules: object, name: str, realm: str) -> bool | None:
        found = {applies(rules, user) for user in self._users(name, realm)}
        return found.pop() if len(found) == 1 else None

    def _users(self, name: str, realm: str) -> Iterator[User]:
        """Yield what a caller of a name may be, as the realm sees it; each is possible. Its tokens name no groups."""
        other: dict[str, Value] = {GROUPS: (), DN: None, EMAIL: name}
        if is_unique_id(name):
            other |= {EMAIL: NOBODY, SUB: name}
        if self.claim is PrincipalClaim.SUB:
            # The realm's users may have either for a name.
            yield User({REALM: realm, **other, USERNAME: name})
            yield User({REALM: realm, **other, USERNAME: NOBODY})
        else:
            yield User({REALM: realm, **other, USERNAME: NOBODY if is_unique_id(name) else name})


def _callers(material: Material, subjects: SubjectMap, realm: _Realm) -> Iterator[Login]:
    """Yield those who log in with a token, each with all roles that role mappings and the subject map give it."""
    mappings = _Mappings(material.mappings, realm)
    held: dict[Target, list[Held]] = {}
    for role, targets in sorted(subjects.roles.items()):
        for target in targets:
            held.setdefault(target, []).append(Held(role, SUBJECT_MAP))
    names = mappings.names | {target.label for target in held if is_service_account(target.label)}
    for name in sorted(names):
        given = list(mappings.given_to(name)) if (targets := _targets(name, subjects)) else []
        for target in targets:
            held.setdefault(target, []).extend(given)
    for target, roles in held.items():
        if any(one.imported for one in roles):
            yield Login(f"caller {target.label}", target, tuple(roles))


class _Mappings:
    """Role mappings that are enabled, by the names of callers that they may apply to.

    Args:
        found: all role mappings.
        realm: of the callers.
    """

    def __init__(self, found: Iterable[RoleMapping], realm: _Realm) -> None:
        self._realm = realm
        self._by_name: dict[str, list[tuple[RoleMapping, object]]] = {}
        self._wide: dict[bool, list[tuple[RoleMapping, object]]] = {True: [], False: []}
        """Those that may apply to callers that they do not name, by whether these are known by their ids alone."""
        for each in found:
            if each.body.enabled:
                rules = _rules(each)
                for by_id, wide in self._wide.items():
                    if realm.may_apply_to_others(rules, by_id=by_id):
                        wide.append((each, rules))
                for name in set(literals(rules, _NAMED)):
                    self._by_name.setdefault(name, []).append((each, rules))

    @property
    def names(self) -> set[str]:
        """The names of callers in all of them."""
        return set(self._by_name)

    def given_to(self, name: str) -> Iterator[Held]:
        """Yield the roles that a caller has, or may have, as far as that can be seen."""
        named = self._by_name.get(name, [])
        for found, rules in named:
            if (applied := self._realm.applies(rules, name)) is not False:
                yield from _given(found, name, certain=applied is True)
        for found, rules in self._wide[is_unique_id(name)]:
            if all(found is not each for each, _ in named) and self._realm.applies(rules, name) is not False:
                yield from _given(found, name, certain=False)


def _given(found: RoleMapping, name: str, *, certain: bool) -> Iterator[Held]:
    by = f"role mapping {found.name}"
    for role in found.body.roles:
        yield Held(role, by, imported=certain)
    for template in json.loads(found.body.templates):
        for role in rendered(template, User({USERNAME: name, EMAIL: name})) or ():
            yield Held(role, by, imported=False)


def _targets(name: str, subjects: SubjectMap) -> tuple[Target, ...]:
    if name in subjects.usernames:
        return subjects.usernames[name]
    return (account(name),) if is_service_account(name) else ()


def _rules(found: RoleMapping) -> object:
    """Return the parsed rules of a role mapping; those beyond our bounds apply to nobody that is known."""
    rules = json.loads(found.body.rules)
    return {} if excess(rules, depth=DEPTH, nodes=_MOST_PARTS) else rules


def _left_of(found: RoleMapping, subjects: SubjectMap, realm: _Realm) -> Iterator[Leftover]:
    """Yield what cannot be imported of a role mapping."""
    source, roles, rules = f"role mapping {found.name}", found.body.roles, _rules(found)
    if not found.body.enabled:
        return
    if found.body.templates != "[]":
        text = "it makes names of roles from what it knows of a user"
        yield Leftover(source, "role_templates", Why.ROLE_TEMPLATE, text)
    names = sorted(set(literals(rules, _NAMED)))
    known = [name for name in names if _targets(name, subjects)]
    if others := [name for name in names if name not in known]:
        text = f"it names {some_of(others)}: not a service account, nor in the subject map"
        yield Leftover(source, "rules", Why.NOT_A_SERVICE_ACCOUNT, text, roles=roles)
    for name in known:
        applied = realm.applies(rules, name)
        if not applied:
            here = "whether it applies to {} cannot be seen" if applied is None else "it does not apply to {}"
            text = f"{here.format(name)}, as a caller of the realm {realm.name or 'that it names'}"
            yield Leftover(source, "rules", Why.UNEVALUATED, text, roles=roles)
    # In whatever realm: people may have the role too.
    if applies(rules, User(dict.fromkeys(_NAMED, NOBODY))) is not False:
        if _mentions(rules, _OF_PEOPLE):
            text = "it applies to members of groups, which tokens of service accounts do not have"
            yield Leftover(source, "rules", Why.MAPPED_BY_GROUP, text, roles=roles)
        else:
            text = "its rules may apply to others than those that it names, also in the future"
            yield Leftover(source, "rules", Why.MAPPED_BY_PATTERN, text, roles=roles)


def _mentions(rule: object, fields: tuple[str, ...]) -> bool:
    """Return whether a rule compares one of some fields."""
    if isinstance(rule, list):
        return any(_mentions(part, fields) for part in rule)
    return isinstance(rule, Mapping) and any(
        not mapping(inner).keys().isdisjoint(fields) if kind == "field" else _mentions(inner, fields)
        for kind, inner in rule.items()
    )


def _users(users: Iterable[FoundUser], subjects: SubjectMap, left: list[Leftover]) -> Iterator[Login]:
    for user in users:
        targets = subjects.users.get(user.name) or ((account(user.name),) if is_service_account(user.name) else ())
        if not targets and user.roles:
            text = "it may be a person, or a workload with a password"
            roles = user.roles
            left.append(Leftover(f"user {user.name}", "", Why.NOT_A_SERVICE_ACCOUNT, text, roles=roles))
        held = tuple(Held(role, f"user {user.name}") for role in user.roles)
        yield from (Login(f"user {user.name}", target, held) for target in targets)


def _keys(keys: Iterable[FoundKey], subjects: SubjectMap, left: list[Leftover]) -> Iterator[Login]:
    known = list(keys)
    names = [key.name for key in known]
    for key in known:
        label = f"{key.name} ({key.id})" if names.count(key.name) > 1 else key.name
        source, targets = f"API key {label}", subjects.keys.get(key.name, ())
        if key.for_clusters:
            left.append(Leftover(source, "", Why.KEY_FOR_CLUSTERS, "it is of the type cross_cluster"))
        elif not targets and is_service_account(key.owner):
            text = f"{key.owner} made it for itself"
            left.append(Leftover(source, "", Why.KEY_OF_A_CALLER, text, key.owner))
        elif not targets:
            owner = f" (made by {key.owner})" if key.owner else ""
            left.append(Leftover(source, "", Why.NO_SUBJECT, f"which workload uses it is not known{owner}"))
        elif problem := _limited(key):
            left.append(Leftover(source, "", Why.KEY_LIMITED, problem))
        else:
            own = _rights(key, label)
            held = tuple(Held(name, source) for name in own)
            yield from (Login(source, target, held, own) for target in targets)


def _limited(key: FoundKey) -> str:
    """Return why it is not known what a key may do: it may do what it, and its owner when it was made, both may."""
    if not key.rights:
        return "" if key.limits is not None else "it has the rights of its owner, which cannot be seen"
    if key.limits is None:
        return "what its owner may do cannot be seen, and it may do no more"
    return "" if any(map(_is_everything, key.limits)) else "its owner may do less than everything, and so may the key"


def _is_everything(body: RoleBody) -> bool:
    on_indices = any(
        "*" in entry.indices and "all" in entry.privileges and not entry.query and not entry.hides_fields
        for entry in body.entries
        if not entry.clusters and not entry.application
    )
    return on_indices and "all" in body.cluster


def _rights(key: FoundKey, label: str) -> dict[str, RoleBody]:
    """Return what a key may do, by a name for each of its role descriptors."""
    found = key.rights or [(str(number), body) for number, body in enumerate(key.limits or (), 1)]
    return {label if len(found) == 1 else f"{label} {name}": body for name, body in found}


def _unused(material: Material, subjects: SubjectMap) -> Iterator[Leftover]:
    there = {
        "role": set(material.roles),
        "user": {user.name for user in material.users},
        "API key": {key.name for key in material.keys},
        "username": {name for each in material.mappings for name in literals(_rules(each), _NAMED)},
    }
    for kind, name in subjects.named():
        if name not in there[kind]:
            yield Leftover(SUBJECT_MAP, f"{kind} {name}", Why.UNUSED_SUBJECT, f"there is no {kind} {name} that works")
