"""Reads objects of eck-custom-resources: roles, users and API keys, each with a body of Elasticsearch's API as text.

https://github.com/xco-sk/eck-custom-resources (``es.eck.github.com/v1alpha1``)
"""

import json
from collections.abc import Mapping
from typing import Any

from searchaccess.core.answers.importing.material import Material, key_in_file, roles_in, users_in
from searchaccess.core.answers.importing.reasons import Leftover, Why
from searchaccess.core.model.intake.metadata import metadata_of, part
from searchaccess.core.model.intake.reading import within

_KINDS = {"ElasticsearchRole": "role", "ElasticsearchUser": "user", "ElasticsearchApikey": "API key"}


def eck_object(raw: Mapping[str, Any]) -> Material:
    """Read one object; of other kinds nothing."""
    kind = _KINDS.get(str(raw.get("kind")))
    if kind is None:
        return Material()
    name, body = metadata_of(raw).name, _body(part(raw, "spec").get("body"))
    if body is None:
        text = "spec.body is not an object as JSON"
        return Material(leftovers=(Leftover(f"{kind} {name}", "spec.body", Why.UNREADABLE, text),))
    if kind == "role":
        return roles_in({name: body})
    if kind == "user":
        return users_in([{**body, "username": name}])
    return key_in_file(name, body)


def _body(given: Any) -> dict[str, Any] | None:
    try:
        body = json.loads(given) if isinstance(given, str) else given
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) and within(body) else None
