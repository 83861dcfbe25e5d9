"""What a SearchCluster says of objects in Elasticsearch that are not its operator's: adoption and takeover."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from searchaccess.api.base import ApiModel, Narrows, cel, matches, rules
from searchaccess.api.clusters.namespaces import AllowedNamespaces

HASH_PATTERN = "[0-9a-f]{16}"
INSTANCE_PATTERN = "[-a-z0-9]{1,100}"
CONTROLLER_PATTERN = "[A-Za-z0-9]([-A-Za-z0-9]{0,126}[A-Za-z0-9])?"

_HASH = "write the hash as the message of the conflict has it: 16 hexadecimal digits"
_CONTROLLER = "write the id of the controller as status.others has it: the uid of the namespace kube-system"
_INSTANCE = "write the name of the instance as status.others has it, such as default"


class AdoptedObject(ApiModel):
    """A role or role mapping of somebody else, as it was seen."""

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
    """Digest of its whole content, as the message of the conflict has it. When it changes before it is adopted, it is
    not adopted."""


class Adoption(ApiModel):
    """What the operator may take over of objects of others under its names."""

    objects: Annotated[
        list[AdoptedObject],
        Field(
            max_length=100, json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
        ),
    ] = []
    """Roles and role mappings that the operator takes over, once, if they are still as they were seen."""

    namespaces: AllowedNamespaces | None = None
    """Namespaces whose SearchAccesses may have the role of their own principal taken over, by the annotation
    `searchaccess.dev/adopt: <name>@<hash>`; none when absent."""


class FormerCredentials(StrEnum):
    """What becomes of API keys and users of a former life that no SearchAccess here declares."""

    KEEP = "Keep"
    REVOKE = "Revoke"


class TakeOver(ApiModel):
    """A former life of the operator: another Kubernetes cluster, or another installation."""

    controller: Annotated[
        str,
        Field(
            pattern=f"^{CONTROLLER_PATTERN}$",
            max_length=128,
            json_schema_extra=rules(cel(matches(f"^{CONTROLLER_PATTERN}$"), _CONTROLLER)),
        ),
    ]
    """Uid of the namespace kube-system of that Kubernetes cluster, as `status.others` has it."""
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
    """Name of the installation; the operator's own when absent."""

    credentials: Annotated[
        FormerCredentials, Narrows("then those of whom no SearchAccess declares a credential stay in force")
    ] = FormerCredentials.KEEP
    """What becomes of its API keys and users, under this operator's names, for which no SearchAccess of the same
    namespace and name declares a credential here. `Keep`: they are reported and stay. `Revoke`: they end, and their
    secrets are removed. A key cannot be made again, so write it when everything is applied."""
