"""Which versions work together: of the command, the operator, the kinds, Kubernetes and Elasticsearch."""

from collections.abc import Iterable, Mapping
from typing import Any

from searchaccess.api.conditions.types import ConditionType
from searchaccess.api.status import SearchClusterStatus, condition_of
from searchaccess.core.model.intake.metadata import metadata_of, part, text_in
from searchaccess.core.model.intake.reading import mapping, objects

_CONTAINER = "operator"
_OPERATOR = "searchaccess-operator"


def operators_of(deployments: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the operators among Deployments.

    Args:
        deployments: as the API server has them.

    Returns:
        For each its namespace, name, image, version (by its label, or by the tag of the image; None: not known), and
        how many of its replicas are ready.
    """
    return sorted(
        (found for raw in deployments if (found := _operator(raw))), key=lambda one: (one["namespace"], one["name"])
    )


def _operator(raw: Mapping[str, Any]) -> dict[str, Any] | None:
    meta = metadata_of(raw)
    template = part(part(raw, "spec"), "template")
    containers = objects(part(template, "spec").get("containers"))
    named = [one for one in containers if one.get("name") == _CONTAINER]
    image = next((text_in(one, "image") for one in named or containers if _OPERATOR in text_in(one, "image")), "")
    if not image:
        return None
    tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    label = text_in(part(part(raw, "metadata"), "labels"), "app.kubernetes.io/version")
    status = part(raw, "status")
    wanted, ready = part(raw, "spec").get("replicas"), status.get("readyReplicas")
    return {
        "namespace": meta.namespace,
        "name": meta.name,
        "image": image,
        "version": tag or label or None,
        "replicas": wanted if isinstance(wanted, int) else 1,
        "ready": ready if isinstance(ready, int) else 0,
    }


def clusters_of(raws: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what SearchClusters report of their Elasticsearch; what is not known is None."""
    found = []
    for raw in raws:
        status = SearchClusterStatus.read(raw.get("status"))
        ready = condition_of(status, ConditionType.READY)
        found.append(
            {
                "name": metadata_of(raw).name,
                "elasticsearch": status.version,
                "license": status.license,
                "ready": ready.status if ready else "Unknown",
                "reason": ready.reason if ready else None,
            }
        )
    return sorted(found, key=lambda one: str(one["name"]))


def served_of(group: Mapping[str, Any]) -> list[str]:
    """Return the versions of the kinds that the API server serves, the preferred one first.

    Args:
        group: the discovery document of the group (``/apis/searchaccess.dev``).
    """
    preferred = text_in(mapping(group.get("preferredVersion")), "version")
    versions = [text_in(one, "version") for one in objects(group.get("versions"))]
    return sorted(filter(None, versions), key=lambda version: version != preferred)
