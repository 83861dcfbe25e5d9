"""Who else gives a principal rights, what that adds to what is declared, and who else gets its role.

What cannot be seen is reported as such: it is not the same as nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from searchaccess.api.conditions.reasons import Reason
from searchaccess.core.model.canonical import RoleBody, role_from_json
from searchaccess.core.model.intake import reading
from searchaccess.core.model.intake.metadata import bounded_text
from searchaccess.core.rights.foreign.additions import Budget, Declared, added_by
from searchaccess.core.rights.foreign.givers import KEY, MAPPING, ORDER, USER, Giver, listed
from searchaccess.core.rights.foreign.keys import OwnedKey
from searchaccess.core.rights.foreign.mappings import ForeignMapping
from searchaccess.core.rights.foreign.near import NearMappings, with_names
from searchaccess.core.rights.foreign.rules import User
from searchaccess.core.rights.foreign.shadows import Shadow

_NAME: Final = 120
"""Characters of a name that a message has."""
_SHOWN: Final = 3
_MOST: Final = 300
"""Roles and API keys that are compared for one principal."""
UNSEEN: Final = "not all that others have can be seen: the condition OthersUnseen of the SearchCluster says what"


@dataclass(frozen=True, slots=True)
class Exclusivity:
    """What is known about others who give a principal rights."""

    reason: Reason | None = None
    """None: nobody else gives it rights."""
    message: str = ""
    givers: tuple[Giver, ...] = ()
    """Each of them, except those that add nothing; the most important ones, in an order that does not change."""
    unlisted: int = 0
    """How many there are beyond these."""
    shadows: tuple[Shadow, ...] | None = ()
    """Roles in files that are in force instead of its own; None: Elasticsearch was not asked yet, in this run."""


NOBODY_ELSE: Final = Exclusivity()


def worst_of(found: Iterable[Exclusivity | None]) -> Exclusivity | None:
    """Return the most important of what is known about several principals, and who gives any of them more.

    Returns:
        None: nothing is known.
    """
    known = [each for each in found if each is not None]
    worst = min(known, key=lambda each: ORDER.index(each.reason) if each.reason else len(ORDER), default=None)
    if worst is None:
        return None
    givers, unlisted = listed(giver for each in known for giver in each.givers)
    shadows = [each.shadows for each in known]
    return replace(
        worst,
        givers=givers,
        unlisted=unlisted + sum(each.unlisted for each in known),
        shadows=None if None in shadows else tuple(sorted(one for each in shadows if each for one in each)),
    )


@dataclass(frozen=True, slots=True)
class Caller:
    """A principal, as the realm knows it."""

    principal: str
    role: str
    """Name of its own role."""
    users: tuple[User, ...]
    """What it may be, as far as is known; each is possible."""
    names: frozenset[str]
    """Its names in role mappings and API keys, as far as they are known."""
    named: bool
    """Whether these are all of them."""


@dataclass(frozen=True)
class Others:
    """What others have in Elasticsearch that may give our callers rights, or give others our roles.

    Args:
        mappings: role mappings of others.
        roles: the roles that they give, by name, as the role API returns them, as far as it does.
        keys: API keys that users of the realm own.
        holders: users of the native realm that have roles of ours: name and role.
        unseen: what could not be read, for the message of the SearchCluster.
        skipped: names of roles that they give and that were not kept, because there are too many.
        ours: what the names of our roles begin with.
        anybody: what is known of every user of the realm.
    """

    mappings: tuple[ForeignMapping, ...] = ()
    roles: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    keys: tuple[OwnedKey, ...] = ()
    holders: tuple[tuple[str, str], ...] = ()
    unseen: tuple[str, ...] = ()
    skipped: frozenset[str] = frozenset()
    ours: str = ""
    anybody: User = User({})
    _templates: list[ForeignMapping] = field(default_factory=list, init=False, compare=False, repr=False)
    _near: NearMappings = field(default_factory=lambda: NearMappings(()), init=False, compare=False, repr=False)
    _owned: dict[str, list[OwnedKey]] = field(default_factory=dict, init=False, compare=False, repr=False)
    _given: dict[str, list[ForeignMapping]] = field(default_factory=dict, init=False, compare=False, repr=False)
    _bodies: dict[str, RoleBody] = field(default_factory=dict, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Index what is asked for each of thousands of principals."""
        object.__setattr__(self, "_near", NearMappings(self.mappings))
        for mapping in self.mappings:
            if self.ours and any(prefix.startswith(self.ours) for prefix in mapping.prefixes):
                self._templates.append(mapping)
            for role in mapping.roles:
                self._given.setdefault(role, []).append(mapping)
        for key in self.keys:
            self._owned.setdefault(key.owner, []).append(key)

    @property
    def limits(self) -> tuple[str, ...]:
        """What is not compared although others have it, for the message of the SearchCluster."""
        if not self.skipped:
            return self.unseen
        text = f"{len(self.skipped)} roles of others are not compared: there are more than {len(self.roles)}"
        return (*self.unseen, text)

    @property
    def weight(self) -> int:
        """How much there is to compare with each of thousands of principals, at most: for the pace."""
        return len(self.mappings) + len(self.keys)

    def body_of(self, role: str) -> RoleBody | None:
        """Return what a role gives; None: the role API does not have it."""
        if role not in self._bodies and role in self.roles:
            self._bodies[role] = given_by(self.roles[role])
        return self._bodies.get(role)

    def concerned_since(self, before: "Others") -> frozenset[str] | None:
        """Return about whom there may be something else to say than before: names of principals; None: anybody.

        Users make API keys all the time, and these concern only their owners.
        """
        one, another = (
            (each.mappings, each.roles, each.skipped, bool(each.unseen), each.ours, each.anybody)
            for each in (self, before)
        )
        if one != another:
            return None
        # Behind a gateway, callers' users have the names of their roles.
        owners = {key.owner.removeprefix(self.ours) for key in {*self.keys} ^ {*before.keys}}
        return frozenset(owners | {role.removeprefix(self.ours) for _, role in {*self.holders} ^ {*before.holders}})

    def may_concern(self, caller: Caller) -> bool:
        """Return whether there is anything to say about a caller; quick."""
        return bool(
            self.unseen
            or self._near.general
            or self._templates
            or (self._near.by_name and not caller.named)
            or (self._owned and not caller.named)
            or caller.role in self._given
            or any(caller.role == role for _, role in self.holders)
            or not caller.names.isdisjoint(self._near.by_name)
            or not caller.names.isdisjoint(self._owned)
        )

    def about(self, caller: Caller, declared: Declared) -> Exclusivity:
        """Return what is known about a caller.

        Args:
            caller: who it is.
            declared: what its SearchAccesses give it.
        """
        inquiry = _Inquiry(self, caller, declared)
        for mapping in self._near.near(caller.names, named=caller.named):
            inquiry.note_mapping(mapping)
        for key in self.keys if not caller.named else with_names(self._owned, caller.names):
            inquiry.note_key(key)
        for mapping in self._given.get(caller.role, ()):
            inquiry.note_given(mapping)
        for mapping in self._templates:
            inquiry.note_given_by_template(mapping)
        for user, role in self.holders:
            if role == caller.role:
                text = f"user {_short(user)} has role {_short(role)}"
                inquiry.note(Reason.ROLE_GIVEN_TO_OTHERS, text, USER, user, role)
        if self.unseen:
            # Always the same text: what changes is on the SearchCluster, and no reason to write thousands of statuses.
            inquiry.note(Reason.CANNOT_BE_SEEN, UNSEEN)
        return inquiry.result()


@dataclass(slots=True)
class _Inquiry:
    """Finds out what there is to say about one caller."""

    others: Others
    caller: Caller
    declared: Declared
    budget: Budget = field(default_factory=Budget)
    rules: Budget = field(default_factory=Budget)
    """Of the evaluation of rules."""
    found: dict[Reason, dict[str, None]] = field(default_factory=lambda: {reason: {} for reason in ORDER})
    givers: dict[Giver, None] = field(default_factory=dict)
    left: int = _MOST
    """Roles and API keys that are still compared."""
    added: dict[str, str] = field(default_factory=dict)
    """What a role adds, by its name: several role mappings may give it."""

    def note(self, reason: Reason, text: str, kind: str = "", name: str = "", role: str = "") -> None:
        """Note what there is to say, and who gives it; no kind: nobody in particular."""
        self.found[reason][text] = None
        if kind:
            self.givers[Giver(reason, kind, _short(name), _short(role), text)] = None

    def note_mapping(self, mapping: ForeignMapping) -> None:
        """Note what a role mapping gives the caller."""
        self.rules.steps -= mapping.steps
        applies = None if self.rules.steps < 0 else mapping.applies(self.caller.users)
        if applies is False:
            return
        roles, unseen = mapping.roles_for(self.caller.users)
        who = f"role mapping {_short(mapping.name)} {'gives' if applies else 'may give'}"
        for template in unseen:
            text = f"{who} roles by the template {_short(template)}, which cannot be evaluated"
            self.note(Reason.CANNOT_BE_SEEN, text, MAPPING, mapping.name, template)
        for role in roles:
            self.left -= role not in self.added
            if self.left < 0:
                reason = Reason.BROADER_THAN_DECLARED if applies else Reason.CANNOT_BE_SEEN
                self.note(reason, f"{who} roles that are not compared: there are too many", MAPPING, mapping.name)
                return
            body, text = self.others.body_of(role), f"{who} role {_short(role)}"
            if body is None and role in self.others.skipped and role != self.caller.role:
                unseen_text = f"{text}, which is not compared: others have too many roles"
                self.note(Reason.CANNOT_BE_SEEN, unseen_text, MAPPING, mapping.name, role)
                continue
            if role == self.caller.role or (body is None and mapping.managed):
                continue
            if body is None:
                unseen_text = f"{text}, which cannot be seen: it may be in a file"
                self.note(Reason.CANNOT_BE_SEEN, unseen_text, MAPPING, mapping.name, role)
            elif not (added := self._added(role, body)):
                self.note(Reason.NOT_BROADER, text)
            elif applies:
                self.note(Reason.BROADER_THAN_DECLARED, f"{text}: {added}", MAPPING, mapping.name, role)
            else:
                why = "its rules are about what is not known of the caller"
                self.note(Reason.CANNOT_BE_SEEN, f"{text} ({why}): {added}", MAPPING, mapping.name, role)

    def _added(self, role: str, body: RoleBody) -> str:
        if role not in self.added:
            self.added[role] = added_by(body, self.declared, self.budget)
        return self.added[role]

    def note_key(self, key: OwnedKey) -> None:
        """Note what an API key allows, which is the caller's, or may be."""
        self.left -= 1
        if self.left < 0:
            self.note(Reason.CANNOT_BE_SEEN, f"more than {_MOST} roles and API keys are not compared")
            return
        added, surely = key.adds(self.declared, self.budget), self.caller.named
        what = f"API key {_short(key.name)} (id {_short(key.id)}) of {_short(key.owner)}"
        if added is None:
            text = f"{what} has the rights of its owner, which cannot be seen"
            self.note(Reason.CANNOT_BE_SEEN, text, KEY, key.id)
        elif added and surely:
            self.note(Reason.BROADER_THAN_DECLARED, f"{what} keeps: {added}", KEY, key.id)
        elif added:
            self.note(Reason.CANNOT_BE_SEEN, f"{what}, who may be the caller, keeps: {added}", KEY, key.id)
        elif surely:
            # Without its id: a service may make a new one every minute.
            self.note(Reason.NOT_BROADER, f"API keys of {_short(key.owner)}")

    def note_given(self, mapping: ForeignMapping) -> None:
        """Note a role mapping that gives the caller's role, if it gives it to others."""
        caller = self.caller
        text = f"role mapping {_short(mapping.name)} {{}} role {_short(caller.role)} to others"
        surely = mapping.wide if mapping.only is None or mapping.elsewhere else not mapping.only <= caller.names
        if surely and (mapping.wide or caller.named):
            self.note(Reason.ROLE_GIVEN_TO_OTHERS, text.format("gives"), MAPPING, mapping.name, caller.role)
        elif surely is not False:
            self.note(Reason.CANNOT_BE_SEEN, text.format("may give"), MAPPING, mapping.name, caller.role)

    def note_given_by_template(self, mapping: ForeignMapping) -> None:
        """Note a role mapping whose templates give roles of ours, if not each caller its own."""
        if mapping.elsewhere or self.caller.role not in mapping.roles_for(self.caller.users)[0]:
            who, role = f"role mapping {_short(mapping.name)}", _short(self.caller.role)
            text = f"{who} may give role {role} to others by a template"
            self.note(Reason.CANNOT_BE_SEEN, text, MAPPING, mapping.name, self.caller.role)

    def result(self) -> Exclusivity:
        """Return the most important reason, and what is to be reported beside it."""
        reason = next((reason for reason in ORDER if self.found[reason]), None)
        if reason is None:
            return NOBODY_ELSE
        # Whatever adds something, or may, is named; what adds nothing only if that is all.
        named = ORDER[:-1] if reason != ORDER[-1] else ORDER
        texts = [text for each in named for text in self.found[each]]
        more = len(texts) - _SHOWN
        message = "; ".join([*texts[:_SHOWN], *([f"and {more} more"] if more > 0 else [])])
        return Exclusivity(reason, message, *listed(self.givers))


def given_by(raw: Mapping[str, Any]) -> RoleBody:
    """Return what a role gives: nothing if the license does not include a part of it.

    Args:
        raw: the role, as the role API returns it.
    """
    enabled = reading.mapping(raw.get("transient_metadata")).get("enabled", True)
    return RoleBody() if enabled is False else role_from_json(raw)


def _short(name: str) -> str:
    return bounded_text(name, _NAME)
