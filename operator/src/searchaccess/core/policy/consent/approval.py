"""A SearchAccessApproval as the core sees it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from searchaccess.api.searchaccessapproval import SearchAccessApprovalSpec
from searchaccess.api.times.moments import moment
from searchaccess.core.model.intake.metadata import last_applied, metadata_of, part, text_in
from searchaccess.core.model.intake.validation import validated


@dataclass(frozen=True, slots=True)
class Approval:
    """A SearchAccessApproval.

    Args:
        uid: its own uid.
        namespace: its namespace.
        name: its own name.
        resource_version: its version.
        access_uid: the uid of the SearchAccess; empty: it cannot be read.
        spec: what is approved, and by whom; None: it cannot be read, and approves nothing.
        created: when the API server stored it, in seconds since the epoch; None: not known.
        is_leaving: whether it is being deleted.
        invalid: why it cannot be read; empty: it can.
    """

    uid: str
    namespace: str
    name: str
    resource_version: str
    access_uid: str
    spec: SearchAccessApprovalSpec | None
    created: float | None
    is_leaving: bool = False
    invalid: str = ""


def approval_from_object(raw: Mapping[str, Any]) -> Approval:
    """Read a SearchAccessApproval as Kubernetes gives it. Never raises for a bad spec."""
    meta = metadata_of(raw)
    spec, invalid = validated(SearchAccessApprovalSpec, raw.get("spec"), last_applied(raw))
    return Approval(
        uid=meta.uid,
        namespace=meta.namespace,
        name=meta.name,
        resource_version=meta.resource_version,
        access_uid=text_in(part(raw, "spec"), "uid"),
        spec=spec,
        created=moment(meta.created_at),
        is_leaving=bool(meta.deleted_at),
        invalid=invalid,
    )
