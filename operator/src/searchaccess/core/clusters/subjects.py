"""Settings of a JWT realm that accept some callers and reject all others."""

from collections.abc import Mapping
from typing import Any, Final

from searchaccess.api.searchcluster import PrincipalClaim
from searchaccess.core.clusters.realmsettings import EMAIL, Objection, listed
from searchaccess.core.policy.callers import Limit

_SUBJECTS: Final = "allowed_subjects"
_PATTERNS: Final = "allowed_subject_patterns"


def limits_of(node: str, prefix: str, settings: Mapping[str, Any]) -> tuple[Limit, ...]:
    """Return what limits callers on a node, as far as it can be decided for a caller whose claims are known.

    Args:
        node: the node's name.
        prefix: of the realm's settings.
        settings: of the realm, by their names below the prefix.
    """
    found = []
    patterns = listed(settings.get(_PATTERNS))
    if (_SUBJECTS in settings or patterns) and not any(pattern.startswith("/") for pattern in patterns):
        values = frozenset(listed(settings.get(_SUBJECTS)))
        setting = _SUBJECTS if values or not patterns else _PATTERNS
        found.append(Limit(node, f"{prefix}.{setting}", "sub", values, tuple(patterns)))
    if EMAIL in settings:
        found.append(Limit(node, f"{prefix}.{EMAIL}", "email", frozenset(listed(settings[EMAIL]))))
    return tuple(found)


def subjects_in_doubt(settings: Mapping[str, Any], principal: PrincipalClaim) -> tuple[Objection, ...]:
    """Return what limits callers, and cannot be compared with all of those that are declared.

    Args:
        settings: of the realm, by their names below its prefix.
        principal: the claim by which callers are declared.
    """
    subjects, patterns = listed(settings.get(_SUBJECTS)), listed(settings.get(_PATTERNS))
    found = []
    if (subjects or patterns) and "*" not in patterns:
        unknown = principal is not PrincipalClaim.SUB
        why = "accounts that are declared by address have subjects that are not known"
        if any(pattern.startswith("/") for pattern in patterns):
            unknown, why = True, "regular expressions are not compared"
        if unknown:
            names = [name for name, value in ((_SUBJECTS, subjects), (_PATTERNS, patterns)) if value]
            found += [Objection(f"(no {name})", f"{settings[name]}: {why}", certain=False) for name in names]
    if EMAIL in settings and principal is not PrincipalClaim.EMAIL:
        why = "accounts that are declared by subject have addresses that are not known"
        found.append(Objection(f"(no {EMAIL})", f"{settings[EMAIL]}: {why}", certain=False))
    return tuple(found)
