"""Who else gives a principal rights, what that adds to what is declared, and who else gets its role.

What cannot be seen is reported as such: it is not the same as nothing.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from searchaccess.api.conditions.reasons import Reason
from searchaccess.core.model.canonical import RoleBody, role_from_json
from searchaccess.core.model.intake import reading
from searchaccess.core.model.intake.metadata import bounded_text
from searchaccess.core.rights.foreign.additions import Declared, added_by
from searchaccess.core.rights.foreign.keys import OwnedKey
from searchaccess.core.rights.foreign.mappings import ForeignMapping
from searchaccess.core.rights.foreign.rules import User

_NAME: Final = 120
"""Characters of a name that a message has."""
_SHOWN: Final = 3
ORDER: Final = (
    Reason.BROADER_THAN_DECLARED,
    Reason.ROLE_GIVEN_TO_OTHERS,
    Reason.CANNOT_BE_SEEN,
    Reason.NOT_BROADER,
)
"""The most important first."""


@dataclass(frozen=True, slots=True)
class Exclusivity:
    """What is known about others who give a principal rights."""

    reason: Reason | None = None
    """None: nobody else gives it rights."""
    message: str = ""


NOBODY_ELSE: Final = Exclusivity()


def worst_of(found: Iterable[Exclusivity | None]) -> Exclusivity | None:
    """Return the most important of what is known about several principals; None: nothing is known."""
    known = [each for each in found if each is not None]
    return min(known, key=lambda each: ORDER.index(each.reason) if each.reason else len(ORDER), default=None)


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
        unseen: what could not be read, for messages.
        ours: what the names of our roles begin with.
    """

    mappings: tuple[ForeignMapping, ...] = ()
    roles: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    keys: tuple[OwnedKey, ...] = ()
    holders: tuple[tuple[str, str], ...] = ()
    unseen: tuple[str, ...] = ()
    ours: str = ""
    _templates: list[ForeignMapping] = field(default_factory=list, init=False, compare=False, repr=False)
    _general: list[ForeignMapping] = field(default_factory=list, init=False, compare=False, repr=False)
    _by_name: dict[str, list[ForeignMapping]] = field(default_factory=dict, init=False, compare=False, repr=False)
    _owned: dict[str, list[OwnedKey]] = field(default_factory=dict, init=False, compare=False, repr=False)
    _given: dict[str, list[ForeignMapping]] = field(default_factory=dict, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Index what is asked for each of thousands of principals."""
        for mapping in self.mappings:
            for name in mapping.only or ():
                self._by_name.setdefault(name, []).append(mapping)
            if mapping.only is None:
                self._general.append(mapping)
            if self.ours and any(prefix.startswith(self.ours) for prefix in mapping.prefixes):
                self._templates.append(mapping)
            for role in mapping.roles:
                self._given.setdefault(role, []).append(mapping)
        for key in self.keys:
            self._owned.setdefault(key.owner, []).append(key)

    def may_concern(self, caller: Caller) -> bool:
        """Return whether there is anything to say about a caller; quick."""
        return bool(
            self.unseen
            or self._general
            or self._templates
            or (self._by_name and not caller.named)
            or (self._owned and not caller.named)
            or caller.role in self._given
            or any(caller.role == role for _, role in self.holders)
            or not caller.names.isdisjoint(self._by_name)
            or not caller.names.isdisjoint(self._owned)
        )

    def about(self, caller: Caller, declared: Declared) -> Exclusivity:
        """Return what is known about a caller.

        Args:
            caller: who it is.
            declared: what its SearchAccesses give it.
        """
        found: dict[Reason, list[str]] = {reason: [] for reason in ORDER}
        for mapping in self._near(caller):
            applies = mapping.applies(caller.users)
            if applies is not False:
                self._note_mapping(found, mapping, caller, declared, surely=bool(applies))
        for key in self._keys_of(caller):
            self._note_key(found, key, declared, surely=caller.named)
        self._note_given(found, caller)
        found[Reason.CANNOT_BE_SEEN] += self.unseen
        reason = next((reason for reason in ORDER if found[reason]), None)
        if reason is None:
            return NOBODY_ELSE
        # What is known as well does not go unsaid.
        texts = [text for each in ORDER[:-1] for text in found[each]] if reason != ORDER[-1] else found[reason]
        return Exclusivity(reason, _joined(texts))

    def _near(self, caller: Caller) -> Collection[ForeignMapping]:
        """Return the role mappings that may apply to a caller."""
        if not caller.named:
            return self.mappings
        named = [mapping for name in sorted(caller.names) for mapping in self._by_name.get(name, ())]
        return sorted({mapping.name: mapping for mapping in [*self._general, *named]}.values(), key=lambda m: m.name)

    def _keys_of(self, caller: Caller) -> Sequence[OwnedKey]:
        if not caller.named:
            return self.keys
        return [key for name in sorted(caller.names) for key in self._owned.get(name, ())]

    def _note_mapping(
        self,
        found: dict[Reason, list[str]],
        mapping: ForeignMapping,
        caller: Caller,
        declared: Declared,
        *,
        surely: bool,
    ) -> None:
        roles, unseen = mapping.roles_for(caller.users)
        who = f"role mapping {_short(mapping.name)}"
        how = "gives" if surely else "may give"
        for template in unseen:
            text = f"{who} {how} roles by the template {_short(template)}, which cannot be evaluated"
            found[Reason.CANNOT_BE_SEEN].append(text)
        for role in roles:
            if role == caller.role:
                continue
            raw = self.roles.get(role)
            if raw is None and mapping.managed:
                continue
            if raw is None:
                text = f"{who} {how} role {_short(role)}, which cannot be seen: it may be in a file"
                found[Reason.CANNOT_BE_SEEN].append(text)
                continue
            added = added_by(given_by(raw), declared)
            text = f"{who} {how} role {_short(role)}"
            if not added:
                found[Reason.NOT_BROADER].append(text)
            elif surely:
                found[Reason.BROADER_THAN_DECLARED].append(f"{text}: {added}")
            else:
                why = "its rules are about what is not known of the caller"
                found[Reason.CANNOT_BE_SEEN].append(f"{text} ({why}): {added}")

    @staticmethod
    def _note_key(found: dict[Reason, list[str]], key: OwnedKey, declared: Declared, *, surely: bool) -> None:
        added, what = key.adds(declared), f"API key {_short(key.name)} (id {_short(key.id)}) of {_short(key.owner)}"
        if added is None:
            found[Reason.CANNOT_BE_SEEN].append(f"{what} has the rights of its owner, which cannot be seen")
        elif added and surely:
            found[Reason.BROADER_THAN_DECLARED].append(f"{what} keeps: {added}")
        elif added:
            found[Reason.CANNOT_BE_SEEN].append(f"{what}, who may be the caller, keeps: {added}")
        elif surely:
            found[Reason.NOT_BROADER].append(what)

    def _note_given(self, found: dict[Reason, list[str]], caller: Caller) -> None:
        """Note who gives the caller's role to others."""
        for mapping in self._given.get(caller.role, ()):
            text = f"role mapping {_short(mapping.name)} {{}} role {_short(caller.role)} to others"
            surely = mapping.wide if mapping.only is None or mapping.elsewhere else not mapping.only <= caller.names
            if surely and (mapping.wide or caller.named):
                found[Reason.ROLE_GIVEN_TO_OTHERS].append(text.format("gives"))
            elif surely is not False:
                found[Reason.CANNOT_BE_SEEN].append(text.format("may give"))
        for mapping in self._templates:
            if mapping.elsewhere or caller.role not in mapping.roles_for(caller.users)[0]:
                text = (
                    f"role mapping {_short(mapping.name)} may give role {_short(caller.role)} to others by a template"
                )
                found[Reason.CANNOT_BE_SEEN].append(text)
        for user, role in self.holders:
            if role == caller.role:
                found[Reason.ROLE_GIVEN_TO_OTHERS].append(f"user {_short(user)} has role {_short(role)}")


def given_by(raw: Mapping[str, Any]) -> RoleBody:
    """Return what a role gives: nothing if the license does not include a part of it.

    Args:
        raw: the role, as the role API returns it.
    """
    enabled = reading.mapping(raw.get("transient_metadata")).get("enabled", True)
    return RoleBody() if enabled is False else role_from_json(raw)


def _short(name: str) -> str:
    return bounded_text(name, _NAME)


def _joined(texts: Sequence[str]) -> str:
    more = len(texts) - _SHOWN
    return "; ".join([*texts[:_SHOWN], *([f"and {more} more"] if more > 0 else [])])
