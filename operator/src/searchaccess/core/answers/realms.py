"""The JWT realm that a SearchCluster needs, in the forms in which people configure Elasticsearch."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from searchaccess.api.searchcluster import ClientAuthentication
from searchaccess.core.answers.logins import mapping_for
from searchaccess.core.clusters.cluster import Cluster, ClusterFacts
from searchaccess.core.clusters.realm import WantedRealm, lines_of
from searchaccess.core.model.canonical import mapping_from_json
from searchaccess.core.rights.ownership import Operator

_FIRST: Final = "the operator writes it with the first SearchAccess, if its login has the tier Full"
_PREFIX: Final = "xpack.security.authc.realms.jwt"


class Place(StrEnum):
    """Where Elasticsearch is configured."""

    FILE = "file"
    """``elasticsearch.yml`` of every node."""
    ECK = "eck"
    """``spec.nodeSets[].config`` of the Elasticsearch resource."""
    CLOUD = "cloud"
    """The user settings of an Elastic Cloud deployment."""


@dataclass(frozen=True, slots=True)
class RealmNeeds:
    """What a SearchCluster needs of its Elasticsearch."""

    cluster: str
    settings: tuple[str, ...]
    """Lines of ``elasticsearch.yml``."""
    secret: str
    """Name of the setting in the keystore with the shared client secret; empty: there is none."""
    mapping: str
    """Name of the role mapping."""
    body: Mapping[str, Any]
    """Content of the role mapping."""

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data of a documented shape."""
        return {
            "cluster": self.cluster,
            "settings": list(self.settings),
            "keystore": self.secret or None,
            "roleMapping": {"name": self.mapping, "body": dict(self.body)},
        }


def needs_of(cluster: Cluster, operator: Operator) -> RealmNeeds | None:
    """Return what a SearchCluster needs; None: it has no realm, or cannot be read.

    Args:
        cluster: the SearchCluster.
        operator: the installation.
    """
    realm, found = cluster.wanted_realm, mapping_for(cluster, operator)
    if realm is None or found is None:
        return None
    prefix = f"{_PREFIX}.{realm.name}"
    shared = realm.clients is ClientAuthentication.SHARED_SECRET
    secret = f"{prefix}.client_authentication.shared_secret" if shared else ""
    return RealmNeeds(cluster.name, tuple(f"{prefix}.{line}" for line in lines_of(realm)), secret, *found)


def text_of(needs: RealmNeeds, place: Place) -> list[str]:
    """Return what people write, as lines; those that explain begin with ``#``.

    Args:
        needs: what is needed.
        place: where Elasticsearch is configured.
    """
    lines = [f"# SearchCluster {needs.cluster}: {_WHERE[place]}"]
    match place:
        case Place.ECK:
            lines += ["spec:", "  nodeSets:", "    - name: default  # each of them", "      config:"]
            lines += [f"        {line}" for line in needs.settings]
        case _:
            lines += needs.settings
    if needs.secret:
        lines += ["", f"# {_SECRET[place]}", f"# {needs.secret}"]
    return lines


_WHERE: Final = {
    Place.FILE: "elasticsearch.yml of every node; restart one node after the other",
    Place.ECK: "the Elasticsearch resource",
    Place.CLOUD: "Elasticsearch user settings of the deployment (Edit, Manage user settings and extensions)",
}
_SECRET: Final = {
    Place.FILE: "The shared client secret: bin/elasticsearch-keystore add, on every node, for",
    Place.ECK: "The shared client secret: a Secret in spec.secureSettings with the key",
    Place.CLOUD: "The shared client secret: a single string in the keystore of the deployment (Security) for",
}


def differences(
    needs: RealmNeeds, realm: WantedRealm, facts: ClusterFacts, mapping: Mapping[str, Any] | None
) -> list[str]:
    """Return what is wrong in a live Elasticsearch, a line each; what is only in doubt says so.

    Args:
        needs: what is needed.
        realm: the same realm as the loop compares it.
        facts: of the cluster; without mismatches, its settings could not be read.
        mapping: the role mapping as it is; None: there is none.
    """
    lines: list[str] = []
    if facts.mismatches is None:
        lines.append(f"not checked: the login may not read the settings of nodes, which realm {realm.name} needs")
    lines += [f"node {one.node} needs {one.line} and has {one.have}" for one in facts.mismatches or ()]
    lines += [f"in doubt: node {one.node} should have {one.line} and has {one.have}" for one in facts.doubts]
    if mapping is None:
        lines.append(f"the role mapping {needs.mapping} is missing: {_FIRST}")
    elif mapping_from_json(dict(mapping)) != mapping_from_json(dict(needs.body)):
        lines.append(f"the role mapping {needs.mapping} is another")
    return lines
