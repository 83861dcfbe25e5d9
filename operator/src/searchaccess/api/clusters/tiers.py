"""How much the operator's login may do in Elasticsearch."""

from enum import StrEnum


class Tier(StrEnum):
    """What a login allows the operator to do, from the smallest to the largest."""

    OBSERVE = "Observe"
    """It reads, and changes nothing."""
    ROLES = "Roles"
    """It writes roles within what was delegated to it; a person writes the one role mapping."""
    ROLES_AND_KEYS = "RolesAndKeys"
    """It also issues API keys, with at most its own rights."""
    FULL = "Full"
    """It writes everything, and could give itself every right."""
