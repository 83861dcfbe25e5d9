"""Which SearchAccesses an overview shows."""

from collections.abc import Iterable
from dataclasses import dataclass

from searchaccess.api.times.moments import moment
from searchaccess.core.answers.statuses.report import Report


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an overview shows; a SearchAccess has to fit each.

    Args:
        cluster: name of its SearchCluster; empty: any.
        drifted: only with open differences.
        not_ready: only what is not Ready, or whose status is of an earlier version of it.
        ends_before: only whose rights, or whose credential, end before this time (seconds since the epoch); None: all.
    """

    cluster: str = ""
    drifted: bool = False
    not_ready: bool = False
    ends_before: float | None = None


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
    return wanted.ends_before is None or _is_ending(report, wanted.ends_before, now)


def open_differences(report: Report) -> int:
    """Return how many differences that somebody made are open."""
    return int((report["drift"] or {}).get("open", 0))


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
