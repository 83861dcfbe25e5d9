"""API keys end with their SearchAccess, so that Elasticsearch ends them even if nobody is left to invalidate them."""

from collections.abc import Iterable
from typing import Final

from searchaccess.core.credentials.credential import Key, Wish
from searchaccess.core.credentials.steps import Prolong

SLACK: Final = 2.0
"""Seconds by which a key ends early: Elasticsearch counts from when a request arrives."""
TOLERANCE: Final = 60.0
"""Seconds by which a key may end earlier than it should before that is corrected."""
LEAST: Final = 1.0
"""Seconds for which a key is worth making."""


def within_its_time(wish: Wish, lifetime: float, now: float) -> float:
    """Return how long a key may be valid from now on: not past the end of its SearchAccess."""
    return lifetime if wish.ends is None else min(lifetime, wish.ends - now - SLACK)


def is_ending(wish: Wish, now: float) -> bool:
    """Return whether a SearchAccess ends so soon, by Elasticsearch's clock, that nothing is worth making."""
    return within_its_time(wish, LEAST, now) < LEAST


def ends_as_declared(wish: Wish, key: Key) -> bool:
    """Return whether a key expires because its SearchAccess ends."""
    return wish.ends is not None and key.expires is not None and key.expires >= wish.ends - TOLERANCE


def outliving(keys: Iterable[Key], ends: float | None, now: float) -> Prolong | None:
    """Return how keys of a held SearchAccess are cut short that would end later than it; None: none would.

    Nothing else about them is changed. An end that comes in a moment revokes them anyway.

    Args:
        keys: the keys.
        ends: when the SearchAccess ends; None: it does not.
        now: seconds since the epoch, by Elasticsearch's clock.
    """
    if ends is None or ends - now - SLACK < LEAST:
        return None
    late = tuple(key for key in keys if key.ours and key.expires is not None and key.expires > ends)
    return Prolong(late, ends - now - SLACK) if late else None


def misdated(wish: Wish, keys: Iterable[Key], lifetime: float, now: float) -> tuple[Key, ...]:
    """Return the keys that end later than their SearchAccess, or as it was to end before that was changed.

    Args:
        wish: what is declared.
        keys: the keys.
        lifetime: how long keys are valid otherwise.
        now: seconds since the epoch, by Elasticsearch's clock.
    """
    if wish.ends is None or is_ending(wish, now):
        return ()
    return tuple(
        key
        for key in keys
        if key.ours and key.expires is not None
        if key.expires > wish.ends or key.expires < min(wish.ends, key.created + lifetime) - TOLERANCE
    )
