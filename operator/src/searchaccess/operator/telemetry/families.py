"""The metrics that are read at each scrape."""

from typing import Final

from prometheus_client.metrics_core import GaugeMetricFamily

FAMILIES: Final[tuple[tuple[str, str, tuple[str, ...]], ...]] = (
    (
        "searchaccess_accesses",
        "SearchAccesses by the status and the reason of their condition Ready.",
        ("cluster", "ready", "reason"),
    ),
    ("searchaccess_drift_open", "Open differences that somebody made in Elasticsearch.", ("cluster",)),
    (
        "searchaccess_break_glass",
        "SearchAccesses that have their rights without an approval that a policy requires (condition BreakGlass).",
        ("cluster",),
    ),
    (
        "searchaccess_not_exclusive",
        "SearchAccesses whose condition Exclusive is False or Unknown, by its reason.",
        ("cluster", "reason"),
    ),
    (
        "searchaccess_released_rights",
        "Rights that stay in force although their SearchAccess was deleted: the length of status.released.",
        ("cluster",),
    ),
    (
        "searchaccess_cluster_ready",
        "Whether a SearchCluster's condition Ready is True, and why.",
        ("cluster", "reason"),
    ),
    (
        "searchaccess_gateway",
        "Whether a SearchCluster's condition about its gateway is True (1), Unknown (0.5) or False (0), and why.",
        ("cluster", "condition", "reason"),
    ),
    (
        "searchaccess_lease_held",
        "Whether this replica owns a SearchCluster and may write to it: 1 for one replica, 0 for the others.",
        ("cluster",),
    ),
    (
        "searchaccess_other_objects",
        "Roles, role mappings, keys and users of other controllers and instances in a SearchCluster's Elasticsearch.",
        ("cluster",),
    ),
    (
        "searchaccess_unwatched",
        "SearchAccesses, keys and users of namespaces that are not watched: their rights in Elasticsearch are held.",
        ("cluster",),
    ),
    (
        "searchaccess_usage_observed_timestamp_seconds",
        "Until when a SearchCluster's audit events were read for status.usage (spec.audit).",
        ("cluster",),
    ),
    ("searchaccess_credentials", "Stored credentials: Active, or Overlap while two work.", ("cluster", "phase")),
    (
        "searchaccess_credential_next_rotation_timestamp_seconds",
        "When the next of a cluster's credentials is rotated. A time in the past is late.",
        ("cluster",),
    ),
    (
        "searchaccess_credential_expiry_timestamp_seconds",
        "When the first of a cluster's API keys expires, unless it is rotated before.",
        ("cluster",),
    ),
    ("searchaccess_queue_length", "How much a SearchCluster's next reconcile has to do.", ("cluster",)),
    (
        "searchaccess_queue_age_seconds",
        "Seconds since the last reconcile began, if something changed since then; else 0.",
        ("cluster",),
    ),
    (
        "searchaccess_policy_violations",
        "SearchAccesses that a SearchAccessPolicy refuses, or with mode Audit would refuse; of one replica.",
        ("policy", "mode"),
    ),
    ("searchaccess_outbox_length", "Objects whose status or finalizer waits to be written.", ()),
    (
        "searchaccess_outbox_failing",
        "Of these, those whose write failed repeatedly, such as refused by a webhook. It is still retried.",
        (),
    ),
    (
        "searchaccess_crd_outdated",
        "Whether the CRD of a resource is older than the operator, so that statuses lack fields: 1 if so.",
        ("resource",),
    ),
)


def families() -> dict[str, GaugeMetricFamily]:
    """Return the families that are read at each scrape, without values."""
    return {name: GaugeMetricFamily(name, text, labels=list(labels)) for name, text, labels in FAMILIES}
