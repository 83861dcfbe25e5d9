"""Which SearchAccesses an overview shows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from searchaccess.api.times.moments import moment
from searchaccess.core.answers.statuses.report import Report

_HOUR: Final = 3600.0
_FRESH: Final = 3 * 86400.0
"""The status of a SearchCluster says once a day until when uses are known; older ones show that reading them fails."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an overview shows; a SearchAccess has to fit each.

    Args:
        cluster: name of its SearchCluster; empty: any.
        drifted: only with open differences.
        not_ready: only what is not Ready, or whose status is of an earlier version of it.
        ends_before: only whose rights, or whose credential, end before this time (seconds since the epoch); None: all.
        unused_since: only what was certainly not used since this time (seconds since the epoch); None: all.
    """

    cluster: str = ""
    drifted: bool = False
    not_ready: bool = False
    ends_before: float | None = None
    unused_since: float | None = None


def chosen(reports: Iterable[Report], wanted: Wanted, now: float) -> list[Report]:
    """Return the reports that an overview shows, by namespace and name.

    Args:
        reports: of all SearchAccesses.
        wanted: which of them.
        now: seconds since the epoch.
    """
    found = [report for report in reports if _fits(report, wanted, now)]
    return sorted(found, key=lambda report: (report["namespace"], report["name"]))


def _fits(report: Report, wanted: Wanted, now: float) -> bool:
    if wanted.cluster and report["cluster"] != wanted.cluster:
        return False
    if wanted.drifted and not open_differences(report):
        return False
    if wanted.not_ready and report["ready"] == "True" and report["current"]:
        return False
    if wanted.unused_since is not None and not is_unused(report, wanted.unused_since, now):
        return False
    return wanted.ends_before is None or _is_ending(report, wanted.ends_before, now)


def open_differences(report: Report) -> int:
    """Return how many differences that somebody made are open."""
    return int((report["drift"] or {}).get("open", 0))


def is_unused(report: Report, since: float, now: float) -> bool:
    """Return whether something was certainly not used since a time: uses are known from then on, and there is none.

    Args:
        report: of a SearchAccess.
        since: seconds since the epoch.
        now: the time.
    """
    usage = report["usage"] or {}
    known, until = moment(usage.get("since") or ""), moment(usage.get("knownUntil") or "")
    if known is None or until is None or known > since or until < since or not is_watched(report, now):
        return False
    last = moment(usage.get("lastUsed") or "")
    # Within the hour of the last use, the status is not written again.
    return last is None or last + _HOUR <= since


@dataclass(frozen=True, slots=True)
class UsesUnknown:
    """SearchAccesses that may be unused or in use, and why that is not known.

    Args:
        why: for people.
        names: of the SearchAccesses, as ``namespace/name``.
    """

    why: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Audited:
    """What is known of the audit events of a SearchCluster.

    Args:
        named: whether it names them.
        until: until when uses are known; None: they are not.
    """

    named: bool
    until: str | None


def uses_unknown(
    reports: Iterable[Report], wanted: Wanted, now: float, clusters: Mapping[str, Audited]
) -> tuple[UsesUnknown, ...]:
    """Return of which SearchAccesses it is not known whether they were used since a time: none of them is unused.

    Args:
        reports: of all SearchAccesses.
        wanted: which of them; without ``unused_since``, nothing is asked.
        now: seconds since the epoch.
        clusters: by the name of each SearchCluster that could be read, what is known of its audit events.
    """
    since = wanted.unused_since
    if since is None:
        return ()
    found = dict[str, list[str]]()
    for report in chosen(reports, replace(wanted, unused_since=None), now):
        last = moment((report["usage"] or {}).get("lastUsed") or "")
        was_used = last is not None and last + _HOUR > since
        if not was_used and not is_unused(report, since, now):
            why = _why_unknown(report, now, clusters)
            found.setdefault(why, []).append(f"{report['namespace']}/{report['name']}")
    return tuple(UsesUnknown(why, tuple(names)) for why, names in found.items())


def _why_unknown(report: Report, now: float, clusters: Mapping[str, Audited]) -> str:
    cluster, usage = report["cluster"], report["usage"]
    if cluster not in clusters:
        return f"SearchCluster {cluster} cannot be read, or does not exist"
    if not clusters[cluster].named:
        return f"SearchCluster {cluster} does not name its audit events (spec.audit)"
    if not _is_fresh({"knownUntil": clusters[cluster].until}, now):
        return f"no audit events of SearchCluster {cluster} were read lately: kubectl describe searchcluster {cluster}"
    if usage is None:
        return "nothing is recorded yet: it is new, it is refused, or audit events do not name its API key"
    return f"uses are known since {usage['since']} only"


def is_watched(report: Report, now: float) -> bool:
    """Return whether uses were read lately.

    Args:
        report: of a SearchAccess.
        now: seconds since the epoch.
    """
    return _is_fresh(report["usage"] or {}, now)


def _is_fresh(usage: Report, now: float) -> bool:
    until = moment(usage.get("knownUntil") or "")
    return until is not None and until >= now - _FRESH


def last_use(usage: Report | None, now: float) -> str:
    """Return when something was last used, to the hour as statuses have it; empty: its SearchCluster does not tell.

    Args:
        usage: of a report; see ``usage_in``.
        now: seconds since the epoch.
    """
    if usage is None:
        return ""
    text = f"{usage['lastUsed'][:13]}h" if "lastUsed" in usage else f"not since {usage['since'][:10]}"
    return text if _is_fresh(usage, now) else f"{text}?"


def _is_ending(report: Report, before: float, now: float) -> bool:
    """Return whether rights end in time, or a key that should have been replaced by now."""
    ends = moment(report["ends"] or "")
    if ends is not None and now < ends <= before:
        return True
    credential = report["credential"] or {}
    expires, rotated = moment(credential.get("expires", "")), moment(credential.get("nextRotation", ""))
    return expires is not None and expires <= before and (rotated is None or rotated <= now)


def counted(reports: Iterable[Report], shown: int) -> str:
    """Sum up all SearchAccesses in a sentence.

    Args:
        reports: all of them.
        shown: how many an overview shows.
    """
    all_of_them = list(reports)
    ready = sum(report["ready"] == "True" for report in all_of_them)
    drifted = sum(open_differences(report) > 0 for report in all_of_them)
    plural = "" if len(all_of_them) == 1 else "es"
    others = f", {len(all_of_them) - shown} not shown" if shown < len(all_of_them) else ""
    return f"{len(all_of_them)} SearchAccess{plural}: {ready} ready, {drifted} drifted{others}"
