"""The field reference of all kinds, from their CRDs."""

import json
from collections.abc import Iterator
from typing import Any, Final

from searchaccess.api.crd import custom_resource_definitions
from searchaccess.cli.pages.markdown import as_code, page, table


def _type_of(schema: dict[str, Any]) -> str:
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"list of {_type_of(schema['items'])}"
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("format") == "date-time":
        return "time (RFC 3339)"
    return kind


_LIMITS: Final[tuple[tuple[str, str, str], ...]] = (
    ("minLength", "maxLength", "characters"),
    ("minItems", "maxItems", "items"),
    ("minProperties", "maxProperties", "keys"),
)


def _limits_of(schema: dict[str, Any]) -> Iterator[str]:
    for least_key, most_key, unit in _LIMITS:
        least, most = schema.get(least_key), schema.get(most_key)
        if least is not None and least == most:
            yield f"exactly {least} {unit.removesuffix('s') if least == 1 else unit}"
        elif least is not None and most is not None:
            yield f"{least} to {most} {unit}"
        elif most is not None:
            yield f"at most {most} {unit}"
        elif least is not None:
            yield f"at least {least} {unit}"
    if schema.get("x-kubernetes-list-type") == "set":
        yield "no duplicates"
    for rule in schema.get("x-kubernetes-validations", ()):
        yield str(rule["message"])


def _walk(path: str, schema: dict[str, Any], *, required: bool) -> Iterator[tuple[str, dict[str, Any], bool]]:
    if path:
        yield path, schema, required
    items = schema.get("items", {})
    if items:
        path, schema = f"{path}[]", items
        yield path, items, False
    for name, part in schema.get("properties", {}).items():
        yield from _walk(f"{path}.{name}".removeprefix("."), part, required=name in schema.get("required", ()))


def _default_of(schema: dict[str, Any], *, required: bool) -> str:
    if required:
        return "required"
    if "default" not in schema:
        return ""
    default = schema["default"]
    return f"`{default if isinstance(default, str) and default else json.dumps(default)}`"


def _fields(root: dict[str, Any], part: str) -> list[str]:
    rows, rules = [], [("(the object)", limit) for limit in _limits_of(root)] if part == "spec" else []
    for path, schema, required in _walk(part, root["properties"][part], required=False):
        if path != part and not path.endswith("[]"):
            described = schema.get("description", "")
            rows.append([f"`{path}`", _type_of(schema), _default_of(schema, required=required), described])
        rules += [(f"`{path}`", limit) for limit in _limits_of(schema)]
    lines = table(["Field", "Type", "Default", "Description"], rows)
    if part == "spec":
        lines += ["The API server enforces:", *table(["Where", "Rule"], rules)]
    return lines


def api_page() -> str:
    """Return the field reference of all kinds."""
    blocks = []
    for crd in custom_resource_definitions().values():
        names, version = crd["spec"]["names"], crd["spec"]["versions"][0]
        root = version["schema"]["openAPIV3Schema"]
        group, short = crd["spec"]["group"], names["shortNames"][0]
        scope = "Cluster-wide" if crd["spec"]["scope"] == "Cluster" else "Namespaced"
        how = f"{scope}; `kubectl get {names['plural']}` or `{short}`; `{group}/{version['name']}`."
        blocks += [f"## {names['kind']}", f"{root['description']} {how}"]
        if selectable := version.get("selectableFields"):
            selectors = as_code(item["jsonPath"].removeprefix(".") for item in selectable)
            blocks.append(f"Field selectors (`--field-selector`, Kubernetes 1.31 or newer): {selectors}.")
        for part in ("spec", "status"):
            if part in root["properties"]:
                blocks += [f"### {part.capitalize()}", *_fields(root, part)]
    return page(
        "Fields",
        "All fields of all kinds. `kubectl explain searchaccesses.spec` shows the same. What each action stands for "
        "is in [actions](actions.md); conditions are in [reasons](reasons.md).",
        *blocks,
    )
