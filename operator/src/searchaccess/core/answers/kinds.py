"""Decides whether installed CustomResourceDefinitions may be replaced by those of this version."""

from collections.abc import Iterator, Mapping
from typing import Any

from searchaccess.core.model.intake.reading import mapping, objects


def _fields(schema: Mapping[str, Any], path: str) -> Iterator[str]:
    for name, part in mapping(schema.get("properties")).items():
        yield f"{path}.{name}"
        yield from _fields(mapping(part), f"{path}.{name}")
    for inner in ("items", "additionalProperties"):
        if inner in schema:
            yield from _fields(mapping(schema[inner]), f"{path}[]")


def fields_of(crd: Mapping[str, Any]) -> frozenset[str]:
    """Return the fields of all versions of a kind, each as its version and path, such as ``v1alpha1.spec.cluster``."""
    found: set[str] = set()
    for version in objects(mapping(crd.get("spec")).get("versions")):
        name = str(version.get("name"))
        schema = mapping(mapping(version.get("schema")).get("openAPIV3Schema"))
        found |= {name, *_fields(schema, name)}
    return frozenset(found)


def newer_fields(installed: Mapping[str, Any], ours: Mapping[str, Any]) -> list[str]:
    """Return what would be lost if an installed definition were replaced by ours.

    The API server drops fields that a definition does not have from every object that is written afterwards.

    Args:
        installed: the CustomResourceDefinition that the API server has.
        ours: the one of this version.

    Returns:
        Versions and fields that ours does not have, in order.
    """
    return sorted(fields_of(installed) - fields_of(ours))
