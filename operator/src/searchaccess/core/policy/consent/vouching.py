"""Whether the API server vouches for who requests and who approves: it has the admission policies that check it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from searchaccess.api.times.moments import moment
from searchaccess.api.vouching import BINDINGS, AdmissionObject, vouching_objects
from searchaccess.core.model.intake.metadata import metadata_of

SETTLES: Final = 10
"""Seconds after which each API server applies a new admission policy."""
_KINDS: Final = {True: "ValidatingAdmissionPolicyBinding", False: "ValidatingAdmissionPolicy"}
_APPLY: Final = "apply deploy/approvals.yaml of this version, or set approvals.enabled in the chart"


@dataclass(frozen=True, slots=True)
class Vouching:
    """What is known about the admission policies.

    Args:
        since: what was created at that time or later was checked, in seconds since the epoch; None: nothing was.
        problem: why nothing was.
        known: whether they were read at all.
    """

    since: float | None = None
    problem: str = ""
    known: bool = True


NOT_READ: Final = Vouching(problem="the admission policies for approvals were not read yet", known=False)


def vouching_of(found: Mapping[AdmissionObject, Mapping[str, Any] | None]) -> Vouching:
    """Compare the admission policies with those of this version.

    Args:
        found: what the API server has; None: there is no such object.
    """
    since = 0.0
    for each, manifest in vouching_objects().items():
        what, raw = f"{_KINDS[each.plural == BINDINGS]} {each.name}", found.get(each)
        if raw is None:
            return Vouching(problem=f"the {what} is missing: {_APPLY}")
        if raw.get("spec") != manifest["spec"]:
            return Vouching(problem=f"the {what} is not as this version of the operator needs it: {_APPLY}")
        created = moment(metadata_of(raw).created_at)
        if created is None:
            return Vouching(problem=f"it is not known since when the {what} exists")
        since = max(since, created + SETTLES)
    return Vouching(since)
