"""Role mappings of others: to whom each applies, and which roles it gives."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from searchaccess.core.model.intake.bounds import excess
from searchaccess.core.model.intake.reading import DEPTH, mapping
from searchaccess.core.ownership.installations import installation_of
from searchaccess.core.rights.foreign.rules import NOBODY, User, applies, literals, steps_of
from searchaccess.core.rights.foreign.templates import prefix_of, rendered, source_of
from searchaccess.core.rights.mapping import RoleMapping

MOST: Final = 2000
"""Number of role mappings of others that are evaluated, the first by name."""
PARTS: Final = 2000
"""Parts of the rules of one; one with more is not evaluated."""


@dataclass(frozen=True, slots=True)
class ForeignMapping:
    """A role mapping of somebody else that may apply to callers of the realm."""

    name: str
    rules: str
    """Canonical JSON."""
    roles: tuple[str, ...]
    templates: tuple[Mapping[str, Any], ...]
    bounded: bool
    """Its rules are within our bounds; others are not evaluated."""
    only: frozenset[str] | None
    """It applies at most to users with one of these names; None: to others too, or that is not known."""
    wide: bool | None
    """Whether it applies to users whom its rules do not name; None: that is not known."""
    managed: bool = False
    """Another installation of the operator manages it: a role that does not exist is not in a file either."""
    elsewhere: bool = False
    """It applies to no user of the realm, but gives users of other realms roles of ours."""
    steps: int = 1
    """About how much work it is to evaluate its rules."""
    parsed: Any = field(compare=False, repr=False, hash=False, default=None)

    def applies(self, users: Sequence[User]) -> bool | None:
        """Return whether it applies to a user; None: that is not known.

        Args:
            users: what the user may be, as far as is known; each is possible.
        """
        if self.elsewhere or not self.bounded:
            return False if self.elsewhere else None
        found = {applies(self.parsed, user) for user in users}
        return found.pop() if len(found) == 1 else None

    def roles_for(self, users: Sequence[User]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the roles that it gives a user to which it applies, and its templates that cannot be evaluated.

        Args:
            users: what the user may be, as far as is known.
        """
        names, unseen = dict.fromkeys(self.roles), list[str]()
        for template in self.templates:
            found = {rendered(template, user) for user in users}
            roles = found.pop() if len(found) == 1 else None
            if roles is None:
                unseen.append(source_of(template))
            else:
                names |= dict.fromkeys(roles)
        return tuple(names), tuple(unseen)

    @property
    def prefixes(self) -> tuple[str, ...]:
        """What the names of roles from its templates begin with."""
        return tuple(map(prefix_of, self.templates))


def unevaluated(found: RoleMapping) -> ForeignMapping:
    """Return a role mapping of which only its roles are known: it may apply to anybody."""
    body = found.body
    templates: tuple[Mapping[str, Any], ...] = () if body.templates == "[]" else ({},)
    return ForeignMapping(found.name, body.rules, body.roles, templates, bounded=False, only=None, wide=None)


def mapping_to_others(found: RoleMapping, ours: str) -> ForeignMapping | None:
    """Return a role mapping as far as it matters for users of the native realm; None: it gives nobody our roles.

    Role mappings apply to users of other realms alone.

    Args:
        found: the role mapping, which is not ours.
        ours: what the names of our roles begin with.
    """
    body = found.body
    templates = tuple(map(mapping, json.loads(body.templates)))
    if not body.enabled or not any(name.startswith(ours) for name in (*body.roles, *map(prefix_of, templates))):
        return None
    return ForeignMapping(
        found.name,
        body.rules,
        body.roles,
        templates,
        bounded=True,
        only=frozenset(),
        wide=True,
        managed=installation_of(found.metadata) is not None,
        elsewhere=True,
    )


def foreign_mapping(found: RoleMapping, anybody: User, named: Sequence[str], ours: str) -> ForeignMapping | None:
    """Return a role mapping as far as it matters here; None: it gives users of the realm nothing, and nobody our roles.

    Args:
        found: the role mapping, which is not ours.
        anybody: what is known of every user of the realm.
        named: the fields that have the name by which callers are declared.
        ours: what the names of our roles begin with.
    """
    body = found.body
    rules, templates = json.loads(body.rules), tuple(map(mapping, json.loads(body.templates)))
    if not body.enabled or not (body.roles or templates):
        return None
    if excess(rules, depth=DEPTH, nodes=PARTS):
        return unevaluated(found)
    here = applies(rules, anybody)
    if here is False and not any(name.startswith(ours) for name in (*body.roles, *map(prefix_of, templates))):
        return None
    wide = True if here is False else applies(rules, anybody.like(named, NOBODY))
    # Whoever has another name than those that are compared literally is like somebody with none of them.
    only = frozenset(literals(rules, named)) if wide is False else None
    return ForeignMapping(
        found.name,
        body.rules,
        body.roles,
        templates,
        bounded=True,
        only=frozenset() if here is False else only,
        wide=wide,
        managed=installation_of(found.metadata) is not None,
        elsewhere=here is False,
        steps=steps_of(rules),
        parsed=rules,
    )
