"""Reads objects for the inventory. One that cannot be read affects no other (docs/adr/0025)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from searchaccess.core.clusters.cluster import Cluster, cluster_from_object, cluster_outline
from searchaccess.core.model.access import Access, access_from_object, access_outline
from searchaccess.core.model.canonical import stable_json
from searchaccess.core.model.intake.ages import predates
from searchaccess.core.model.intake.bounds import excess
from searchaccess.core.model.intake.metadata import part
from searchaccess.engine.barrier import caught
from searchaccess.ports.meter import Meter

PLACE: Final = "intake"
"""Place of internal errors before any reconcile."""
STATUS_DEPTH: Final = 32
"""Levels of a status at most; ours has five."""
STATUS_VALUES: Final = 100_000
STATUS_LENGTH: Final = 1_500_000
"""Characters of a status as JSON at most: the API server stores no larger object."""


def spec_hash(raw: Mapping[str, Any]) -> int | None:
    """Return a hash of an object's spec; None: it is no JSON, or nested too deeply."""
    try:
        return hash(stable_json(raw.get("spec")))
    except (RecursionError, TypeError, ValueError):
        return None


def read_access(raw: Any, known: Access | None, meter: Meter) -> Access:
    """Read a SearchAccess. Never raises: after an internal error it says so in ``fault``.

    Args:
        raw: the object, as Kubernetes gives it.
        known: as it was read before; None: it was not. With a fault it keeps the rights that it had.
        meter: counts faults.
    """
    try:
        return access_from_object(raw)
    except Exception as error:  # noqa: BLE001 - the barrier between one object and all others
        return faulty_access(raw, known, meter, error)


def faulty_access(raw: Any, known: Access | None, meter: Meter, error: Exception) -> Access:
    """Return a SearchAccess with an internal error, with what is known about its rights."""
    outline = access_outline(raw)
    fault = caught(meter, outline.cluster, PLACE, error).message
    if known is None:
        return replace(outline, fault=fault)
    return replace(
        outline,
        cluster=known.cluster,
        subject=known.subject,
        principals=known.principals,
        share=known.share,
        summary=known.summary,
        auth=known.auth,
        credential=known.credential,
        identity=known.identity,
        admission=known.admission,
        claims=known.claims,
        verdict=known.verdict,
        validity=known.validity if known.time_box == outline.time_box else outline.validity,
        fault=fault,
    )


def read_cluster(raw: Any, meter: Meter) -> Cluster:
    """Read a SearchCluster. Never raises: after an internal error it says so in ``fault``."""
    try:
        return cluster_from_object(raw)
    except Exception as error:  # noqa: BLE001 - the barrier between one object and all others
        return faulty_cluster(raw, meter, error)


def faulty_cluster(raw: Any, meter: Meter, error: Exception) -> Cluster:
    """Return a SearchCluster with an internal error."""
    outline = cluster_outline(raw)
    return replace(outline, fault=caught(meter, outline.name, PLACE, error).message)


def read_status(raw: Any) -> str:
    """Return an object's status as JSON; an unusable one counts as absent, and is rewritten.

    So does a status that a backup restored: it is about an earlier object of the same name.
    """
    status = part(raw, "status")
    if not status or predates(status.get("lastSyncTime"), part(raw, "metadata").get("creationTimestamp")):
        return ""
    try:
        text = stable_json(status)
    except (RecursionError, TypeError, ValueError):
        return ""
    # A cheap check that passes every status of ours.
    shallow = text.count("{") + text.count("[") <= STATUS_DEPTH and text.isascii()
    if len(text) > STATUS_LENGTH or not (shallow or not excess(status, depth=STATUS_DEPTH, nodes=STATUS_VALUES)):
        return ""
    return text
