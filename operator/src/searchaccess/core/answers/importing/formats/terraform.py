"""Reads roles, role mappings, users and API keys from a Terraform state, as the provider elastic/elasticstack has them.

https://registry.terraform.io/providers/elastic/elasticstack/latest/docs (``elasticstack_elasticsearch_security_…``).
Both ``terraform show -json`` and a state file are read. Passwords and keys in a state are not looked at.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from searchaccess.core.answers.importing.material import Material, key_in_file, mappings_in, roles_in, users_in
from searchaccess.core.model.intake.metadata import part
from searchaccess.core.model.intake.reading import mapping, objects

_PREFIX: Final = "elasticstack_elasticsearch_security_"


def state(document: Mapping[str, Any]) -> Material:
    """Read a state."""
    whole = Material()
    for kind, values in _resources(document):
        whole += _read(kind, values)
    return whole


def _resources(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for resource in objects(document.get("resources")):
        for instance in objects(resource.get("instances")):
            yield str(resource.get("type")), part(instance, "attributes")
    modules = [part(part(document, "values"), "root_module")]
    while modules:
        module = modules.pop()
        modules += objects(module.get("child_modules"))
        for resource in objects(module.get("resources")):
            yield str(resource.get("type")), part(resource, "values")


def _read(kind: str, values: Mapping[str, Any]) -> Material:
    name = str(values.get("name") or values.get("username") or "")
    match kind.removeprefix(_PREFIX):
        case "role":
            return roles_in({name: _role(values)})
        case "role_mapping":
            return mappings_in({name: _decoded(values, "rules", "role_templates", "metadata")})
        case "user":
            return users_in([_decoded({**values, "username": name}, "metadata")])
        case "api_key":
            found = _decoded(values, "role_descriptors", "metadata")
            kept = {key: found.get(key) for key in ("role_descriptors", "metadata")}
            return key_in_file(name, kept)
    return Material()


def _role(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a role as the API has it: Terraform keeps ``field_security`` as a list of one block."""
    role = _decoded(values, "metadata", "global")
    for key in ("indices", "remote_indices"):
        role[key] = [_entry(raw) for raw in objects(role.get(key))]
    known = ("cluster", "indices", "remote_indices", "applications", "run_as", "global", "metadata", "description")
    return {key: role[key] for key in known if role.get(key)}


def _entry(raw: Mapping[str, Any]) -> dict[str, Any]:
    security = raw.get("field_security")
    block = objects(security)[0] if isinstance(security, list) and objects(security) else mapping(security)
    rules = {key: block[key] for key in ("grant", "except") if block.get(key)}
    rest = {key: value for key, value in raw.items() if key != "field_security" and value not in (None, "", [])}
    return {**rest, **({"field_security": rules} if rules else {})}


def _decoded(values: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """Return attributes with some of them parsed: Terraform keeps them as JSON in a text."""
    found = dict(values)
    for key in keys:
        text = found.get(key)
        if isinstance(text, str):
            try:
                found[key] = json.loads(text) if text else None
            except (ValueError, RecursionError):
                found[key] = None
    return found
