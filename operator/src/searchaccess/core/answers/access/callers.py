"""Callers of realms of tokens: which role mappings apply to them, and who else these apply to."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from searchaccess.api.searchcluster import PrincipalClaim
from searchaccess.core.answers.access.holders import Given, Holder, Kind
from searchaccess.core.answers.access.state import IndexedRoles, Realm, SecurityState
from searchaccess.core.answers.access.words import rules_in_words
from searchaccess.core.model.intake.bounds import excess
from searchaccess.core.model.intake.reading import DEPTH, UNREADABLE
from searchaccess.core.rights.foreign.callers import anybody_of, caller_of, named_by
from searchaccess.core.rights.foreign.exclusive import Caller
from searchaccess.core.rights.foreign.mappings import PARTS, ForeignMapping, foreign_mapping, unevaluated
from searchaccess.core.rights.foreign.near import NearMappings
from searchaccess.core.rights.foreign.rules import EMAIL, NOBODY, REALM, User, applies, literals
from searchaccess.core.rights.foreign.templates import prefix_of, source_of
from searchaccess.core.rights.mapping import RoleMapping, mapping_of

_NAMING: Final = re.compile(
    r"(?P<before>[^{}]*)\{\{(?P<tag>username|metadata\.jwt_claim_(?:sub|email))\}\}(?P<after>[^{}]*)"
)
"""A template that makes a role's name of a user's."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A role mapping, as far as users of one realm of tokens are concerned."""

    raw: RoleMapping
    here: ForeignMapping | None
    """None: it certainly applies to none of them."""


class Callers:
    """The callers of one realm of tokens, and whomever else role mappings apply to.

    Args:
        state: what was read.
        roles: of the cluster, for one index.
        realm: the realm; None: there is none, or it is not known.
        common: what all users have.
    """

    def __init__(
        self, state: SecurityState, roles: IndexedRoles, realm: Realm | None, common: tuple[Given, ...] = ()
    ) -> None:
        self._roles, self.realm, self._common = roles, realm, common
        anybody = anybody_of(realm.name, realm.issuer, realm.claimed) if realm else User({})
        if realm and not realm.issuer:
            anybody = User({name: value for name, value in anybody.fields.items() if not name.endswith("_iss")})
        self._anybody = anybody
        named = named_by(realm.claim if realm else PrincipalClaim.EMAIL)
        self._all = [self._read(name, raw, named) for name, raw in sorted((state.mappings or {}).items())]
        self._near = NearMappings(each.here for each in self._all if each.here)
        self.evaluated = 0
        """Role mappings that were compared with callers."""
        self._blind = [] if state.mappings is not None else ["role mappings cannot be read"]
        if realm and realm.doubt:
            self._blind.append(f"realm {realm.name} {realm.doubt}")

    def _read(self, name: str, raw: Any, named: Sequence[str]) -> _Known:
        found = mapping_of(name, raw)
        if raw == UNREADABLE:
            return _Known(found, unevaluated(found))
        return _Known(found, foreign_mapping(found, self._anybody, named, NOBODY))

    def caller(self, principal: str, other: str = "", kind: Kind = Kind.CALLER) -> Holder:
        """Return a caller with the roles that role mappings give it.

        Args:
            principal: its name: an address, or a unique id where the realm has these.
            other: the one that the principal is not; empty: not known.
            kind: of the holder.
        """
        known = self._known(*((principal, other) if "@" in principal else (other, principal)))
        given, doubts = dict[Given, None](), list(self._blind)
        for mapping in self._near.near(known.names, named=known.named):
            self.evaluated += 1
            does = mapping.applies(known.users)
            if does is False:
                continue
            by = f"role mapping {mapping.name}"
            names, unseen = mapping.roles_for(known.users)
            given |= {Given(name, by, sure=bool(does)): None for name in names if self._matters(mapping, name)}
            if unseen and self._reaches(mapping.templates):
                doubts.append(f"{by} gives roles by a template that cannot be evaluated")
        about = f"realm {self.realm.name}" if self.realm else "of a realm that is not known"
        return Holder(kind, principal, (*given, *self._common), doubts=tuple(doubts), about=about)

    def _known(self, address: str, unique_id: str) -> Caller:
        """Return what is known of a caller by its address, its unique id, or both."""
        by_id = self.realm is not None and self.realm.claim is PrincipalClaim.SUB
        if unique_id and (by_id or not address):
            return caller_of(unique_id, "", self._anybody, PrincipalClaim.SUB, address)
        if by_id:
            # Its name may be its unique id, which is not known.
            user = User({**self._anybody.fields, EMAIL: address})
            return Caller(address, "", (user,), frozenset({address}), named=False)
        return caller_of(address, "", self._anybody, PrincipalClaim.EMAIL, unique_id)

    def _matters(self, mapping: ForeignMapping, role: str) -> bool:
        """Return whether a role counts: one that does not exist may be in a file, but not each by a template is."""
        return role in self._roles.known or role in mapping.roles

    def _reaches(self, templates: Iterable[Any]) -> bool:
        """Return whether templates may give any role that matters."""
        begins = tuple(map(prefix_of, templates))
        return any(role.startswith(begins) for role in (*self._roles.relevant, *self._roles.run_as))

    def names(self) -> Iterator[str]:
        """Yield the names of the callers who may have anything on the index, as far as role mappings tell them."""
        if self.realm is None:
            return
        found = dict[str, None]()
        for each in self._all:
            if each.here is None:
                continue
            if each.here.only and self._is_relevant(each.here):
                found |= dict.fromkeys(sorted(each.here.only))
            for template in each.here.templates:
                found |= dict.fromkeys(_inverted(template, (*self._roles.relevant, *self._roles.run_as)))
        yield from found

    def _is_relevant(self, mapping: ForeignMapping) -> bool:
        return bool(mapping.templates) or any(map(self._counts, mapping.roles))

    def others(self) -> Iterator[Holder]:
        """Yield what role mappings give to users who are not among the callers, one holder for each mapping."""
        for each in self._all:
            body, by = each.raw.body, f"role mapping {each.raw.name}"
            given = tuple(Given(role, by) for role in body.roles if self._counts(role))
            templates = json.loads(body.templates)
            if not body.enabled or not (given or templates):
                continue
            elsewhere = _applies_elsewhere(json.loads(body.rules), self.realm)
            if not elsewhere and (each.here is None or each.here.only is not None):
                continue
            doubts = tuple(self._doubts(templates, by, elsewhere=elsewhere))
            if given or doubts:
                yield Holder(Kind.MAPPING, each.raw.name, given, doubts=doubts, about=rules_in_words(body.rules))

    def _counts(self, role: str) -> bool:
        roles = self._roles
        return role in roles.relevant or role in roles.run_as or role not in roles.known

    def _doubts(self, templates: Iterable[Any], by: str, *, elsewhere: bool) -> Iterator[str]:
        for template in templates:
            naming, begin = _naming(template), prefix_of(template)
            if naming is None:
                if any(role.startswith(begin) for role in self._roles.relevant):
                    yield f"{by} gives roles by the template {source_of(template)[:80]}, which depends on the user"
            elif elsewhere and any(True for _ in _inverted(template, self._roles.relevant)):
                yield f"{by} gives users of other realms the role that has their name: {source_of(template)[:80]}"


def _applies_elsewhere(rules: Any, realm: Realm | None) -> bool:
    """Return whether rules may apply to users of another realm: of one that they name, or of any that they do not."""
    if realm is None or excess(rules, depth=DEPTH, nodes=PARTS):
        return True
    names = {NOBODY, *literals(rules, (REALM,))} - {realm.name}
    return any(applies(rules, User({REALM: name})) is not False for name in names)


def _naming(template: Any) -> re.Match[str] | None:
    is_name = str(template.get("format", "string")).lower() == "string"
    return _NAMING.fullmatch(source_of(template)) if is_name else None


def _inverted(template: Any, roles: Iterable[str]) -> Iterator[str]:
    """Yield the names of users from which a template makes one of some roles."""
    if (found := _naming(template)) is None:
        return
    before, after = found["before"], found["after"]
    for role in roles:
        if role.startswith(before) and role.endswith(after) and len(role) > len(before) + len(after):
            yield role[len(before) : len(role) - len(after)]


def realm_chosen(
    realms: Sequence[Realm] | None, wanted: Realm | None, prefer: Callable[[Realm], bool] = lambda _: True
) -> Realm | None:
    """Return the realm of callers: as the nodes' settings describe the declared one, or the only one of tokens.

    Args:
        realms: of the nodes' settings; None: they could not be read.
        wanted: the realm that the SearchCluster declares; None: none.
        prefer: which of several is meant.
    """
    if wanted is not None:
        found = next((each for each in realms or () if each.kind == "jwt" and each.name == wanted.name), None)
        if found is None:
            return wanted
        return Realm(wanted.name, "jwt", wanted.issuer or found.issuer, wanted.claim, found.claimed, found.doubt)
    of_tokens = [each for each in realms or () if each.kind == "jwt" and prefer(each)]
    return of_tokens[0] if len(of_tokens) == 1 else None
