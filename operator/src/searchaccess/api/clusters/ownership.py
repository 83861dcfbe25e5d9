"""What a SearchCluster declares about foreign objects in Elasticsearch: adoption and takeover."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from searchaccess.api.base import ApiModel, Narrows, cel, matches, rules
from searchaccess.api.clusters.namespaces import AllowedNamespaces

HASH_PATTERN = "[0-9a-f]{16}"
INSTANCE_PATTERN = "[-a-z0-9]{1,100}"
CONTROLLER_PATTERN = "[A-Za-z0-9]([-A-Za-z0-9]{0,126}[A-Za-z0-9])?"

_HASH = "copy the hash from the message of the conflict: 16 hexadecimal digits"
_CONTROLLER = "copy the id of the controller from status.others: the uid of the namespace kube-system"
_INSTANCE = "copy the name of the instance from status.others, such as default"


class AdoptedObject(ApiModel):
    """A foreign role or role mapping, identified by its name and content."""

    name: Annotated[str, Field(min_length=1, max_length=507)]
    """Name of the role or role mapping."""
    hash: Annotated[
        str,
        Field(
            pattern=f"^{HASH_PATTERN}$",
            max_length=16,
            json_schema_extra=rules(cel(matches(f"^{HASH_PATTERN}$"), _HASH)),
        ),
    ]
    """Digest of its whole content, from the message of the conflict. If the content changes before the object is
    adopted, it is not adopted."""


class Adoption(ApiModel):
    """Which foreign objects under its names the operator may adopt."""

    objects: Annotated[
        list[AdoptedObject],
        Field(
            max_length=100, json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
        ),
    ] = []
    """Roles and role mappings that the operator adopts, once, if their content is unchanged."""

    namespaces: AllowedNamespaces | None = None
    """Namespaces whose SearchAccesses may have the role of their own principal adopted, by the annotation
    `searchaccess.dev/adopt: <name>@<hash>`; none when absent."""


class FormerCredentials(StrEnum):
    """What happens to API keys and users of a former installation that no SearchAccess here declares."""

    KEEP = "Keep"
    REVOKE = "Revoke"


class TakeOver(ApiModel):
    """A former installation of the operator: in another Kubernetes cluster, or under another instance name."""

    controller: Annotated[
        str,
        Field(
            pattern=f"^{CONTROLLER_PATTERN}$",
            max_length=128,
            json_schema_extra=rules(cel(matches(f"^{CONTROLLER_PATTERN}$"), _CONTROLLER)),
        ),
    ]
    """Uid of the namespace kube-system of that Kubernetes cluster, as in `status.others`."""
    instance: (
        Annotated[
            str,
            Field(
                pattern=f"^{INSTANCE_PATTERN}$",
                max_length=100,
                json_schema_extra=rules(cel(matches(f"^{INSTANCE_PATTERN}$"), _INSTANCE)),
            ),
        ]
        | None
    ) = None
    """Name of the instance; the operator's own when absent."""

    credentials: Annotated[
        FormerCredentials, Narrows("then those for which no SearchAccess declares a credential stay in force")
    ] = FormerCredentials.KEEP
    """What happens to its API keys and users under this operator's names for which no SearchAccess of the same
    namespace and name declares a credential here. `Keep`: they are reported and stay. `Revoke`: they are revoked, and
    their secrets are deleted. A revoked key cannot be restored, so set this only after all SearchAccesses are
    applied."""
