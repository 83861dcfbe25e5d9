"""What a role grants besides privileges on indices and on the cluster."""

import json
from collections.abc import Iterator

from searchaccess.core.answers.importing.reasons import Why
from searchaccess.core.messages import some_of
from searchaccess.core.model.canonical import RoleBody
from searchaccess.core.model.intake.reading import mapping

_KNOWN = {
    "run_as": (Why.RUN_AS, "it may act as {names}"),
    "applications": (Why.APPLICATION, "it has privileges of {names}"),
    "remote_cluster": (Why.REMOTE, "it has cluster privileges on remote clusters"),
    "remote_indices": (Why.REMOTE, "an entry names no remote cluster"),
    "global": (Why.GLOBAL, "it may manage {names}"),
}


def rest_of(body: RoleBody) -> Iterator[tuple[str, Why, str]]:
    """Yield each part of a role that no SearchAccess declares, with the reason and a message."""
    for part, value in sorted(json.loads(body.other or "{}").items()):
        why, text = _KNOWN.get(part, (Why.UNKNOWN_FIELD, "what it grants is not known"))
        yield part, why, text.format(names=some_of(_names(value)) or "something")


def _names(value: object) -> list[str]:
    if isinstance(value, list):
        return [str(mapping(item).get("application", "")) if isinstance(item, dict) else str(item) for item in value]
    return sorted(mapping(value))
