"""Every built-in privilege of Elasticsearch: part of an action, declared by its name, or refused.

A test compares both tables with ``GET _security/privilege/_builtin`` of each release, so that no privilege of a new
release is missed. What each allows:
https://www.elastic.co/guide/en/elasticsearch/reference/8.19/security-privileges.html
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from searchaccess.api.vocabulary.actions import Action


@dataclass(frozen=True, slots=True)
class Privilege:
    """What is known about a privilege.

    Attributes:
        says: what it allows; for a refused one, why it is refused.
        refused: whether nobody may declare it.
        since: by major version, the first minor release that has it; none: every release that is supported.
    """

    says: str
    refused: bool = False
    since: Mapping[int, int] = field(default_factory=dict)

    def is_in(self, version: tuple[int, int]) -> bool:
        """Return whether a release has it, by its major and minor version."""
        major, minor = version
        if not self.since or major > max(self.since):
            return True
        return major in self.since and minor >= self.since[major]

    @property
    def releases(self) -> str:
        """The first releases that have it, for messages; empty: every supported release has it."""
        return " and ".join(f"{major}.{minor}" for major, minor in sorted(self.since.items()))


def _refused(why: str) -> Privilege:
    return Privilege(why, refused=True)


_OF_KEYS_FOR_CLUSTERS: Final = _refused("Elasticsearch gives it to API keys of other clusters: not meant to be granted")

INDEX_PRIVILEGES: Final[dict[str, Privilege]] = {
    "all": Privilege("everything on these indices, including reading and deleting them and their documents"),
    "auto_configure": Privilege(
        "let a write create its index or data stream from its template; add fields to a mapping"
    ),
    "create": Privilege("add documents, and replace them as a whole"),
    "create_doc": Privilege("add documents, without replacing any"),
    "create_index": Privilege("create indices and data streams with custom settings and mappings"),
    "cross_cluster_replication": _OF_KEYS_FOR_CLUSTERS,
    "cross_cluster_replication_internal": _OF_KEYS_FOR_CLUSTERS,
    "delete": Privilege("delete documents"),
    "delete_index": Privilege("delete indices and data streams, with all documents in them"),
    "index": Privilege("add, replace and update documents"),
    "maintenance": Privilege("refresh, flush and force-merge"),
    "manage": Privilege(
        "everything on these indices except reading and writing documents; includes deleting indices and adding aliases"
    ),
    "manage_data_stream_lifecycle": Privilege(
        "change how long a data stream keeps documents, which can delete documents"
    ),
    "manage_failure_store": Privilege("`manage` for the failure store of data streams", since={8: 19, 9: 1}),
    "manage_follow_index": Privilege(
        "create and stop followers of other clusters' indices; close indices, roll them over"
    ),
    "manage_ilm": Privilege("remove lifecycle policies from indices, retry and move their steps"),
    "manage_leader_index": Privilege("remove followers of an index"),
    "monitor": Privilege("read statistics, segments and recoveries"),
    "none": Privilege("nothing"),
    "read": Privilege("search, get and count documents"),
    "read_cross_cluster": Privilege(
        "let another cluster's users search here, in the older model of remote clusters; part of `read` with "
        "`remoteClusters`"
    ),
    "read_failure_store": Privilege("read documents that data streams could not ingest", since={8: 19, 9: 1}),
    "view_index_metadata": Privilege("read mappings, settings and aliases"),
    "write": Privilege("add, replace, update and delete documents; add fields to a mapping"),
}
"""Privileges on indices. One that no action has and that is not refused can be declared in ``privileges``."""

_KEYS: Final = _refused("creates API keys that outlive the access")
_LOGINS: Final = _refused("logs in as somebody else, or lets others do so")
_SECURITY: Final = _refused("changes who may do what, which amounts to all rights")
_SECRETS: Final = _refused("accesses secrets of others")
_OTHER_CLUSTERS: Final = _refused("for other clusters, not for workloads")
_BEYOND_GRANTS: Final = _refused("acts on data and jobs of others in the whole cluster, beyond every grant")
_OLD_NAME: Final = "an old name: write "

CLUSTER_PRIVILEGES: Final[dict[str, Privilege]] = {
    "monitor": Privilege(
        "read the cluster's health, statistics and state, including ML, transforms, watches, ES|QL and inference"
    ),
    "read_ilm": Privilege("read index lifecycle policies"),
    "read_pipeline": Privilege("read ingest pipelines"),
    "manage_ilm": Privilege("change index lifecycle policies (of every index)"),
    "manage_index_templates": Privilege(
        "change index templates (of every index); with `read` on any index, also read documents of indices that are "
        "created later, through an alias from their template"
    ),
    "manage_ingest_pipelines": Privilege(
        "change ingest pipelines (of every index); with `read` on any index, also read documents that others write "
        "through a pipeline, by copying or redirecting them"
    ),
    "monitor_enrich": Privilege("read enrich policies and their statistics"),
    "monitor_esql": Privilege("see running ES|QL queries with their text", since={9: 1}),
    "monitor_inference": Privilege("read inference endpoints, and use them, which may cost money"),
    "monitor_ml": Privilege("read machine learning jobs and their results, which quote values"),
    "monitor_rollup": Privilege("read rollup jobs"),
    "monitor_snapshot": Privilege("list snapshots and repositories"),
    "monitor_stats": Privilege("read the cluster's statistics", since={8: 17, 9: 0}),
    "monitor_text_structure": Privilege("find the structure of a text in the request"),
    "monitor_transform": Privilege("read transforms and their statistics"),
    "monitor_watcher": Privilege("read watches and their state"),
    "read_slm": Privilege("read snapshot lifecycle policies"),
    "all": _SECURITY,
    "cancel_task": _refused("cancels requests of everybody"),
    "create_snapshot": _refused("copies every index into a repository"),
    "cross_cluster_replication": _OTHER_CLUSTERS,
    "cross_cluster_search": _OTHER_CLUSTERS,
    "delegate_pki": _LOGINS,
    "grant_api_key": _KEYS,
    "manage": _BEYOND_GRANTS,
    "manage_api_key": _KEYS,
    "manage_autoscaling": _BEYOND_GRANTS,
    "manage_behavioral_analytics": _BEYOND_GRANTS,
    "manage_ccr": _OTHER_CLUSTERS,
    "manage_connector": _BEYOND_GRANTS,
    "manage_data_frame_transforms": _BEYOND_GRANTS,
    "manage_data_stream_global_retention": _refused("grants nothing: Elasticsearch keeps only the name"),
    "manage_enrich": _BEYOND_GRANTS,
    "manage_inference": _BEYOND_GRANTS,
    "manage_logstash_pipelines": _BEYOND_GRANTS,
    "manage_ml": _BEYOND_GRANTS,
    "manage_oidc": _LOGINS,
    "manage_own_api_key": _KEYS,
    "manage_pipeline": _refused(_OLD_NAME + "manage_ingest_pipelines"),
    "manage_rollup": _BEYOND_GRANTS,
    "manage_saml": _LOGINS,
    "manage_search_application": _BEYOND_GRANTS,
    "manage_search_query_rules": _BEYOND_GRANTS,
    "manage_search_synonyms": _BEYOND_GRANTS,
    "manage_security": _SECURITY,
    "manage_service_account": _LOGINS,
    "manage_slm": _BEYOND_GRANTS,
    "manage_token": _LOGINS,
    "manage_transform": _BEYOND_GRANTS,
    "manage_user_profile": _refused("reads and changes what is stored about people"),
    "manage_watcher": _BEYOND_GRANTS,
    "monitor_connector": _refused("shows connectors with their configuration, which may hold passwords"),
    "monitor_data_frame_transforms": _refused(_OLD_NAME + "monitor_transform"),
    "monitor_data_stream_global_retention": _refused("grants nothing: Elasticsearch keeps only the name"),
    "none": _refused("grants nothing: remove it"),
    "post_behavioral_analytics_event": _refused("writes into every analytics collection, whatever is granted"),
    "read_ccr": _OTHER_CLUSTERS,
    "read_connector_secrets": _SECRETS,
    "read_fleet_secrets": _SECRETS,
    "read_security": _refused("shows who may do what"),
    "transport_client": _refused("for a client that Elasticsearch no longer has"),
    "write_connector_secrets": _SECRETS,
    "write_fleet_secrets": _SECRETS,
}
"""Privileges on the cluster. Those that are not refused can be declared in ``clusterCan``."""

REFUSED_ON_INDICES: Final = tuple(name for name, privilege in INDEX_PRIVILEGES.items() if privilege.refused)

DECLARABLE_ON_CLUSTER: Final = tuple(name for name, privilege in CLUSTER_PRIVILEGES.items() if not privilege.refused)


def actions_with(name: str) -> list[Action]:
    """Return the actions that an index privilege is part of."""
    return [action for action in Action if name in action.privileges]


def cluster_privilege(name: str) -> str:
    """Return a cluster privilege that may be declared.

    Raises:
        ValueError: it may not be declared, or does not exist; the message says why.
    """
    known = CLUSTER_PRIVILEGES.get(name)
    if known is None:
        raise ValueError(
            f"not a cluster privilege that can be declared: write one of {', '.join(DECLARABLE_ON_CLUSTER)}"
        )
    if known.refused:
        raise ValueError(f"{name} cannot be declared: {known.says}")
    return name
