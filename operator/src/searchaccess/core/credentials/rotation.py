"""Decides the next step for a credential, only from what is observed.

    issue key n+1 → store it as a version → note where → overlap → invalidate key n → disable its version → destroy it

A step may be interrupted at any point, its response may be lost, and people may change anything meanwhile. So the next
decision starts from what is observed then. At most two keys of a SearchAccess are valid. A key whose value was not
stored is useless, and is revoked before another is created. A key that another login created, and that none of our keys
confirms, is revoked too, but nothing waits for that.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from searchaccess.api.stores.credentials import Auth
from searchaccess.core.credentials.credential import NOWHERE, Key, Secret, Seen, State, Version, Wish
from searchaccess.core.credentials.ending import ends_as_declared, is_ending, misdated, within_its_time
from searchaccess.core.credentials.pins import Pins
from searchaccess.core.credentials.steps import (
    AskUsers,
    Destroy,
    Disable,
    Issue,
    Note,
    Prolong,
    Read,
    RemoveSecret,
    Revoke,
    Rewrite,
    Roll,
    Step,
    Update,
)

MOST_LIVE: Final = 2
LEAST_MARGIN: Final = 86400.0
"""Seconds that a key stays valid at least beyond its rotation and overlap: the operator or a store may be unavailable
for so long."""
ASK_AGAIN: Final = 300.0
"""Seconds between two reads of who still uses an old key."""
READ_AFTER_ROLL: Final = 20.0
"""Seconds after which the result of a rollout is read."""
MOST_READ: Final = 10
"""Number of newest versions that are searched for a key."""
_ENDING: Final = "its rights end now, by Elasticsearch's clock"
JITTER: Final = 0.1
"""Part of the rotation period by which rotations happen early, to spread them."""


class Phase(StrEnum):
    """Phase of a credential."""

    MISSING = "Missing"
    """Nobody can read a valid key."""
    ACTIVE = "Active"
    OVERLAP = "Overlap"
    """Two keys are valid: the one in the newest version, and the previous one."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now; when that is done, decide again."""

    steps: tuple[Step, ...] = ()
    phase: Phase = Phase.MISSING
    current: Key | None = None
    """The key that consumers read."""
    after: float | None = None
    """Seconds until the next step is due, if nothing else happens; None: never."""
    next_rotation: float | None = None
    overlap_until: float | None = None
    conflict: bool = False
    """A foreign secret has this name, so nothing is changed."""
    waits: str = ""
    """Why a due rotation does not happen yet."""
    deferred: str = ""
    """Who still uses the old key although its overlap is over."""
    not_rolled: str = ""
    """Why the workload does not use the newest version although it should."""


def lifetime(wish: Wish) -> float:
    """Return how long an API key is valid: it expires even if nobody is left to invalidate it. Users do not expire."""
    return wish.rotate_every + wish.overlap + max(LEAST_MARGIN, wish.rotate_every / 2)


def rotation_age(wish: Wish, key: Key) -> float:
    """Return the age at which a key is replaced: different for each key, and the same at each decision."""
    digest = hashlib.sha256(f"{wish.owner}/{key.sequence}".encode()).digest()
    part = int.from_bytes(digest[:4], "big") / 2**32
    return wish.rotate_every * (1 - JITTER * part)


def rotate_at(wish: Wish, key: Key) -> float:
    """Return when a key is to be replaced."""
    return key.created + rotation_age(wish, key)


def decide(wish: Wish, seen: Seen, now: float) -> Decision:
    """Decide what to do about a declared credential.

    Args:
        wish: what is declared.
        seen: what was observed.
        now: seconds since the epoch, by Elasticsearch's clock.
    """
    if seen.secret is not None and seen.secret.owner not in {wish.owner, *wish.predecessors}:
        return Decision(conflict=True)
    decision = _decide(wish, seen, now)
    strangers = seen.strangers()
    if strangers and (not decision.steps or any(isinstance(step, Issue) for step in decision.steps)):
        # Before another key is created: an earlier login may have created these, and two are enough.
        dismissal = Revoke(strangers, "another login created it, and it is not in use", may_fail=True)
        return replace(decision, steps=(dismissal, *decision.steps))
    return decision


def _decide(wish: Wish, seen: Seen, now: float) -> Decision:
    live = seen.live()
    if steps := _settle(wish, seen, live, now):
        return Decision(steps)
    newest = seen.secret.newest if seen.secret else None
    current = _current(live, seen, newest)
    if current is None:
        return _replace_lost(wish, seen, live, now)
    return _keep(wish, seen, live, current, now)


def _settle(wish: Wish, seen: Seen, live: Sequence[Key], now: float) -> tuple[Step, ...]:
    """Correct what exists, before anything is created."""
    if disabled := seen.disabled():
        return (Revoke(disabled, "somebody disabled it"),)
    if steps := _place(live, seen):
        return steps
    wrong = tuple(key for key in live if key.ours and (key.rights.former or not key.rights.same_as(wish.rights)))
    if wrong:
        return (Update(wrong),)
    late = misdated(wish, live, lifetime(wish), now)
    return (Prolong(late, within_its_time(wish, lifetime(wish), now)),) if late else ()


def _place(live: Sequence[Key], seen: Seen) -> tuple[Step, ...]:
    """Find where keys are stored whose storing was interrupted, or whose metadata others may have written.

    The metadata of our keys is trusted. Our keys that are not stored are revoked. Keys of others that are not stored
    are strangers.
    """
    secret = seen.secret
    unplaced = [key for key in live if key.slot == NOWHERE]
    if not unplaced and not seen.strangers():
        return ()
    claimed = {key.slot for key in live if key.ours}
    numbers = [version.number for version in secret.versions if version.state is State.ENABLED] if secret else []
    free = sorted((number for number in numbers if secret and secret.slot(number) not in claimed), reverse=True)
    free = free[:MOST_READ]
    if unread := [number for number in free if number not in seen.holds]:
        # The newest first, because it is the most likely one.
        return (Read(unread[0]),)
    found = {seen.holds[number]: secret.slot(number) for number in reversed(free) if secret}
    steps: list[Step] = [Note(key, found[key.id]) for key in live if found.get(key.id, key.slot) != key.slot]
    if lost := tuple(key for key in unplaced if key.ours and key.id not in found):
        steps.append(Revoke(lost, "its value was not stored"))
    return tuple(steps)


def _current(live: Sequence[Key], seen: Seen, newest: Version | None) -> Key | None:
    """Return the live key in the version that consumers read."""
    if seen.secret is None or newest is None or newest.state is not State.ENABLED:
        return None
    holders = [key for key in live if key.slot == seen.secret.slot(newest.number)]
    # If the version was read, its content decides: somebody may have replaced it.
    return holders[-1] if holders and seen.holds.get(newest.number, holders[-1].id) == holders[-1].id else None


def _next_sequence(seen: Seen) -> int:
    numbers = [version.number for version in seen.secret.versions] if seen.secret else []
    return max([0, *numbers, *(key.sequence for key in seen.genuine())]) + 1


def _issue(wish: Wish, seen: Seen, live: Sequence[Key], why: str, now: float, *, lost: bool = False) -> Issue:
    valid = within_its_time(wish, lifetime(wish), now)
    return Issue(_next_sequence(seen), valid, why, live[-1].id if live else "", lost=lost)


def _replace_lost(wish: Wish, seen: Seen, live: Sequence[Key], now: float) -> Decision:
    """Create a key for consumers that cannot read one now. Consumers with an older one keep it for the overlap."""
    if is_ending(wish, now):
        return Decision(waits=_ENDING)
    if len(live) >= MOST_LIVE:
        return Decision((Revoke(tuple(live[: len(live) - MOST_LIVE + 1]), "it makes room for a new one"),))
    why = "consumers cannot read a valid key" if seen.secret and seen.secret.versions else "there is none"
    return Decision((_issue(wish, seen, live, why, now, lost=True),))


def _reason_to_rotate(wish: Wish, seen: Seen, current: Key, now: float) -> str:
    if wish.requested and wish.requested != current.requested:
        return "requested"
    if not current.ours:
        return "another login of the operator created it"
    if current.former:
        return "a former installation of the operator created it"
    if seen.age(current, now) >= rotation_age(wish, current):
        return "its rotation is due"
    return _reason_by_kind(wish, current) or _reason_by_expiry(wish, seen, current, now)


def _reason_by_kind(wish: Wish, current: Key) -> str:
    if current.auth is not wish.auth:
        return f"it is for {current.auth}, and {wish.auth} is declared"
    if current.form not in {None, wish.form}:
        return f"its secret has the format {current.form}, and {wish.form} is declared"
    return ""


def _reason_by_expiry(wish: Wish, seen: Seen, current: Key, now: float) -> str:
    if current.auth is Auth.PASSWORD:
        return ""
    if current.expires is None:
        return "it would never expire"
    if ends_as_declared(wish, current):
        return ""
    return "it expires" if _until_reserve(wish, seen, current, current.expires, now) <= 0 else ""


def _until_reserve(wish: Wish, seen: Seen, key: Key, expires: float, now: float) -> float:
    """Return the seconds after which a key is replaced although its age is not known, as after a start without a clock.

    A third of its lifetime is left then, less than at its rotation: a store may be unavailable for that long.
    """
    return _left(seen, key, expires, now) - max(wish.overlap, (expires - key.created) / 3)


def _left(seen: Seen, key: Key, expires: float, now: float) -> float:
    """Return the seconds for which a key stays valid, at least."""
    return min(expires - now, expires - key.created - seen.age(key, now))


def _keep(wish: Wish, seen: Seen, live: Sequence[Key], current: Key, now: float) -> Decision:
    """Roll out the newest version, rotate in time, end the overlap, and clean up."""
    phase = Phase.OVERLAP if len(live) > 1 else Phase.ACTIVE
    if seen.secret and seen.secret.form_differs and seen.secret.owner == wish.owner:
        return Decision((Rewrite(current.slot.number),), phase, current)
    rolling, not_rolled = _roll_out(wish, seen, current)
    if rolling:
        return Decision((rolling,), phase, current)
    others = tuple(key for key in live if key is not current)
    age = seen.age(current, now)
    # The current one is not the youngest if somebody restored an earlier secret, or what is declared went back to it.
    youngest = min(live, key=lambda key: seen.age(key, now))
    overlap = wish.overlap - seen.age(youngest, now)
    after = rotation_age(wish, current) - age
    waits = ""
    steps: list[Step] = []
    reason = "" if is_ending(wish, now) else _reason_to_rotate(wish, seen, current, now)
    deferred = ""
    if others and overlap <= 0:
        ending, deferred = _end_overlap(wish, seen, others)
        steps += ending
        after = ASK_AGAIN
        waits = "two keys are valid: the next is created when the old one is revoked" if reason and deferred else ""
    elif others:
        after = min(after, overlap) if after > 0 else overlap
        waits = "two keys are valid: the next is created when the overlap is over" if reason else ""
    elif reason:
        steps.append(_issue(wish, seen, live, reason, now))
    else:
        steps, destroying = _clear_up(seen, live, overlap + wish.grace)
        after = min(after, destroying) if destroying is not None else after
        if current.expires is not None and not ends_as_declared(wish, current):
            after = min(after, _until_reserve(wish, seen, current, current.expires, now))
    if not steps:
        least = wish.overlap + LEAST_MARGIN
        steps += _prolong(wish, seen, live if deferred else [current] if waits else [], least, now)
    if not steps and overlap > 0:
        # One that was to end with its SearchAccess, which goes on now, would end within the overlap.
        steps += _prolong(wish, seen, others, overlap, now)
    if seen.pins and seen.pins.rolled:
        after = min(after, READ_AFTER_ROLL)
    return Decision(
        tuple(steps),
        Phase.OVERLAP if others else Phase.ACTIVE,
        current,
        after,
        next_rotation=rotate_at(wish, current),
        overlap_until=youngest.created + wish.overlap if others else None,
        waits=waits,
        deferred=deferred,
        not_rolled=not_rolled,
    )


def _roll_out(wish: Wish, seen: Seen, current: Key) -> tuple[Step | None, str]:
    """Write the newest version into the template, once: the number in the template shows whether that was done."""
    if not wish.rolls or seen.secret is None:
        return None, ""
    if not seen.secret.names:
        return None, "Cloud Run templates can refer only to secrets of Secret Manager"
    if seen.pins is None:
        return AskUsers(), ""
    if seen.pins.unknown:
        return None, seen.pins.unknown
    if seen.pins.template and seen.pins.template != {current.slot.number}:
        return Roll(current.slot.number), ""
    return None, seen.pins.failed if seen.pins.template else "the workload's template does not name the secret"


def _holder(wish: Wish, secret: Secret, pins: Pins, key: Key) -> str:
    """Return who uses a key; empty: nobody.

    A user of the version that was newest at its start has no number; where versions are rolled out, it is an older
    revision. Numbers belong to this secret: a key in an earlier secret of the same name does not count.
    """
    if key.slot.secret != secret.identity:
        return ""
    return pins.holder(key.slot.number) or (pins.floating if wish.rolls else "")


def _end_overlap(wish: Wish, seen: Seen, others: tuple[Key, ...]) -> tuple[list[Step], str]:
    """Revoke old keys, except those that Cloud Run still uses; report who uses those."""
    if not (wish.waits_for_users and seen.secret and seen.secret.names):
        return [Revoke(others, "the overlap is over")], ""
    if seen.pins is None:
        return [AskUsers()], ""
    held = {key: holder for key in others if (holder := _holder(wish, seen.secret, seen.pins, key))}
    free = tuple(key for key in others if key not in held)
    if free:
        return [Revoke(free, "the overlap is over")], ""
    return [], "; ".join(f"version {key.slot.number}: {holder}" for key, holder in held.items())


def _prolong(wish: Wish, seen: Seen, wanted: Sequence[Key], least: float, now: float) -> list[Step]:
    """Prolong keys that are needed for so many seconds yet, to a day more than that."""
    ending = tuple(
        key
        for key in wanted
        if key.ours and key.expires is not None and not ends_as_declared(wish, key)
        if _left(seen, key, key.expires, now) < least
    )
    return [Prolong(ending, within_its_time(wish, least + LEAST_MARGIN, now))] if ending else []


def _clear_up(seen: Seen, live: Sequence[Key], destroy_in: float) -> tuple[list[Step], float | None]:
    """Disable versions whose key is gone; destroy them later, in so many seconds."""
    secret = seen.secret
    if secret is None:
        return [], None
    used = {key.slot for key in live}
    stale = [version for version in secret.versions if secret.slot(version.number) not in used]
    enabled = tuple(version.number for version in stale if version.state is State.ENABLED)
    if enabled:
        return [Disable(enabled)], None
    disabled = tuple(version.number for version in stale if version.state is State.DISABLED)
    if disabled and destroy_in <= 0:
        return [Destroy(disabled)], None
    return [], destroy_in if disabled else None


def withdraw(owner: str, seen: Seen) -> Decision:
    """Decide what to do about a withdrawn credential: first the keys, then the secret.

    Args:
        owner: uid of the SearchAccess.
        seen: what was observed.
    """
    if seen.keys:
        return Decision((Revoke(seen.keys, "its SearchAccess is gone"),))
    if seen.secret is not None and seen.secret.owner == owner:
        return Decision((RemoveSecret(),))
    return Decision()
