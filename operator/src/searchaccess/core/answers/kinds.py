"""Decides whether installed CustomResourceDefinitions may be replaced by those of this version."""

from collections.abc import Iterator, Mapping
from typing import Any

from searchaccess.core.model.intake.reading import mapping, objects


def _parts(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield a schema and all of its parts, each with its path."""
    yield path, schema
    for name, part in mapping(schema.get("properties")).items():
        yield from _parts(mapping(part), f"{path}.{name}")
    for inner in ("items", "additionalProperties"):
        if inner in schema:
            yield from _parts(mapping(schema[inner]), f"{path}[]")


def _fields(schema: Mapping[str, Any], path: str) -> Iterator[str]:
    for where, part in _parts(schema, path):
        yield from (f"{where}.{name}" for name in mapping(part.get("properties")))


def _values(schema: Mapping[str, Any], path: str) -> Iterator[str]:
    """Yield the allowed values of enumerations."""
    for where, part in _parts(schema, path):
        listed = part.get("enum")
        yield from (f"{where}={value}" for value in (listed if isinstance(listed, list) else ()))


def fields_of(crd: Mapping[str, Any]) -> frozenset[str]:
    """Return the fields of all versions of a kind, each as its version and path, such as ``v1alpha1.spec.cluster``.

    It also returns what else objects may depend on: the allowed values of spec fields, such as
    ``v1alpha1.spec.mode=Observe``, and the selectable fields.
    """
    found: set[str] = set()
    for version in objects(mapping(crd.get("spec")).get("versions")):
        name = str(version.get("name"))
        schema = mapping(mapping(version.get("schema")).get("openAPIV3Schema"))
        spec = mapping(mapping(schema.get("properties")).get("spec"))
        selected = {f"{name} selects {one.get('jsonPath')}" for one in objects(version.get("selectableFields"))}
        found |= {name, *_fields(schema, name), *_values(spec, f"{name}.spec"), *selected}
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
