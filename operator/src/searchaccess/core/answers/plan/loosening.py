"""What a SearchAccess restricts less than before, apart from its grants: those are compared as rights."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from searchaccess.api.searchaccess import DeletionPolicy, Mode
from searchaccess.api.times.durations import seconds
from searchaccess.core.answers.plan.model import Loosened
from searchaccess.core.model.access import Access
from searchaccess.core.model.limits import DeclaredLimits, is_within, shown_bytes
from searchaccess.core.model.timeboxes.timebox import TimeBox, is_during

_ABSENT: Final = "absent"


def loosened_in(before: Access, after: Access) -> tuple[Loosened, ...]:
    """Return what the new version of a SearchAccess restricts less.

    Args:
        before: as it was.
        after: as it would be.
    """
    return (
        *_state(before, after),
        *_times(before.time_box, after.time_box),
        *_credential(before, after),
        *_limits(before.limits, after.limits),
    )


def _state(before: Access, after: Access) -> Iterator[Loosened]:
    if before.suspend and not after.suspend:
        yield Loosened("spec.suspend", "true", "false", "its declared rights are enforced from now on")
    if before.mode is Mode.OBSERVE and after.mode is Mode.ENFORCE:
        why = "its declared rights are enforced from now on, not only compared"
        yield Loosened("spec.mode", str(before.mode), str(after.mode), why)
    if before.deletion_policy is not after.deletion_policy and after.deletion_policy is DeletionPolicy.ORPHAN:
        why = "its rights stay, without an owner, when it is deleted"
        yield Loosened("spec.deletionPolicy", str(before.deletion_policy), str(after.deletion_policy), why)
    if after.adopt and after.adopt != before.adopt:
        why = "rights that somebody else made are taken over"
        yield Loosened("metadata.annotations: adopt", before.adopt or _ABSENT, after.adopt, why)
    if after.break_glass and not before.break_glass:
        why = "it may get its rights before anybody approves them"
        yield Loosened("metadata.annotations: break-glass", _ABSENT, "set", why)


def _times(before: TimeBox, after: TimeBox) -> Iterator[Loosened]:
    if is_during(after, before):
        return
    if before.ends != after.ends and (after.ends is None or (before.ends is not None and after.ends > before.ends)):
        yield Loosened("spec.validUntil", _time(before.ends), _time(after.ends), "its rights last longer")
    if before.begins is not None and (after.begins is None or after.begins < before.begins):
        yield Loosened("spec.validFrom", _time(before.begins), _time(after.begins), "its rights begin earlier")
    if before.schedule is not None and before.schedule != after.schedule:
        now = "absent" if after.schedule is None else "other windows"
        yield Loosened("spec.schedule", "windows", now, "its rights may be in force at other times")


def _time(moment: int | None) -> str:
    return _ABSENT if moment is None else datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _credential(before: Access, after: Access) -> Iterator[Loosened]:
    if before.auth is not after.auth and after.has_credential:
        why = "whoever can read the secret has the rights"
        yield Loosened("spec.auth", str(before.auth), str(after.auth), why)
    was, now = before.credential, after.credential
    if was is None or now is None:
        return
    for path, one, other, why in (
        ("rotateEvery", was.rotate_every, now.rotate_every, "a stolen secret can be used for longer"),
        ("overlap", was.overlap, now.overlap, "a replaced secret can be used for longer"),
    ):
        if seconds(other) > seconds(one):
            yield Loosened(f"spec.credential.{path}", one, other, why)
    if (was.store, was.name) != (now.store, now.name):
        why = "others may be able to read the secret there"
        yield Loosened("spec.credential", f"{was.store}/{was.name}", f"{now.store}/{now.name}", why)


def _limits(before: DeclaredLimits, after: DeclaredLimits) -> Iterator[Loosened]:
    if not is_within(after, before):
        yield Loosened("spec.limits", _shown(before), _shown(after), "the caller may send more")


def _shown(limits: DeclaredLimits) -> str:
    parts = [
        f"{limits.per_second}/s" if limits.per_second is not None else "",
        f"burst {limits.burst}" if limits.burst is not None else "",
        f"body {shown_bytes(limits.max_body)}" if limits.max_body is not None else "",
        f"apis {', '.join(sorted(map(str, limits.apis)))}" if limits.apis is not None else "",
    ]
    return ", ".join(filter(None, parts)) or _ABSENT
