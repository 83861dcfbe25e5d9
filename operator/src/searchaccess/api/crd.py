"""Makes the CustomResourceDefinitions from the models."""

from collections.abc import Sequence
from typing import Any

from searchaccess.api.base import ApiModel
from searchaccess.api.constants import GROUP, VERSION
from searchaccess.api.searchaccess import SearchAccess
from searchaccess.api.searchaccessapproval import SearchAccessApproval
from searchaccess.api.searchaccesspolicy import SearchAccessPolicy
from searchaccess.api.searchcluster import SearchCluster
from searchaccess.api.vocabulary.actions import LETTERS, RESTRICTED

CATEGORY = "search"
"""``kubectl get search`` shows all kinds."""

_KEYWORDS = (
    "description", "type", "format", "nullable", "enum", "default", "minimum", "maximum", "minLength", "maxLength",
    "minItems", "maxItems", "minProperties", "maxProperties", "required",
)  # fmt: skip
"""The keywords of a schema that are kept, in the order in which they are written."""


def _merged(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Resolve referenced and optional schemas; keywords at the place of use take precedence."""
    if "$ref" in schema:
        referred = definitions[schema["$ref"].rsplit("/", 1)[1]]
        return _merged(referred | {key: value for key, value in schema.items() if key != "$ref"}, definitions)
    if "anyOf" in schema:
        branches = [branch for branch in schema["anyOf"] if branch.get("type") != "null"]
        if len(branches) != 1:
            raise ValueError(f"not expressible in a structural schema: {schema}")
        outer = {key: value for key, value in schema.items() if key not in {"anyOf", "default"}}
        return _merged(branches[0] | outer, definitions)
    return schema


def _structural(schema: dict[str, Any], definitions: dict[str, Any], *, in_list: bool = False) -> dict[str, Any]:
    """Turn a pydantic JSON schema into a structural one.

    A ``pattern`` is dropped, because its error message would show the expression. Each has a CEL rule that says what to
    write. Defaults within lists are dropped too: ``kubectl apply`` and GitOps tools compare lists as a whole, and would
    report a difference for every object at every comparison.

    https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
    """
    schema = _merged(schema, definitions)
    if "const" in schema:
        schema = schema | {"enum": [schema["const"]]}
    result = {key: schema[key] for key in _KEYWORDS if schema.get(key) is not None}
    if in_list:
        result.pop("default", None)
    if isinstance(result.get("default"), dict):
        # What is left out. The API server takes null only where the schema is nullable.
        result["default"] = {key: value for key, value in result["default"].items() if value is not None}
    result |= {key: value for key, value in schema.items() if key.startswith("x-kubernetes-")}
    if "pattern" in schema and "x-kubernetes-validations" not in result:
        raise ValueError(f"a pattern without a CEL rule: {schema}")
    if "description" in result:
        result["description"] = " ".join(result["description"].split())
    # The API server drops empty properties, so whoever applies the file would see a difference.
    if schema.get("properties"):
        result["properties"] = {
            name: _structural(part, definitions, in_list=in_list) for name, part in schema["properties"].items()
        }
    if isinstance(schema.get("items"), dict):
        result["items"] = _structural(schema["items"], definitions, in_list=True)
    if isinstance(schema.get("additionalProperties"), dict):
        result["additionalProperties"] = _structural(schema["additionalProperties"], definitions, in_list=True)
    return result


def _schema(model: type[ApiModel]) -> dict[str, Any]:
    raw = model.model_json_schema(by_alias=True, mode="validation")
    schema = _structural(raw, raw.get("$defs", {}))
    schema["required"] = ["spec"]
    return schema


def _column(name: str, path: str, *, kind: str = "string", wide: bool = False, doc: str = "") -> dict[str, Any]:
    column: dict[str, Any] = {"name": name, "type": kind, "jsonPath": path}
    if doc:
        column["description"] = doc
    if wide:
        column["priority"] = 1
    return column


_READY = '.status.conditions[?(@.type=="Ready")]'
_ACCESS = (
    f"{LETTERS}; {RESTRICTED} only some documents or fields. +1: one more index or pattern. +remote, +cluster and "
    "+kibana: also rights on remote clusters, cluster privileges, rights in Kibana."
)
_DRIFT = "Open differences that somebody made in Elasticsearch."
_NEXT_CHANGE = "When the rights end or begin, as validFrom, validUntil and schedule say."
_LAST_USED = "Last allowed request, to the hour. Empty: none in the time that is known, or that is not known."
_AGE = _column("Age", ".metadata.creationTimestamp", kind="date")


def _crd(
    model: type[ApiModel],
    *,
    plural: str,
    short: str,
    scope: str,
    columns: list[dict[str, Any]],
    selectable: Sequence[str] = (),
) -> dict[str, Any]:
    kind = model.__name__
    version: dict[str, Any] = {"name": VERSION, "served": True, "storage": True}
    if "status" in model.model_fields:
        version["subresources"] = {"status": {}}
    if selectable:
        version["selectableFields"] = [{"jsonPath": path} for path in selectable]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": scope,
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": [short],
                # Not "searchaccess": kubectl would resolve it to all kinds, also in "delete searchaccess --all".
                "categories": [CATEGORY],
            },
            "conversion": {"strategy": "None"},
            "versions": [
                version | {"additionalPrinterColumns": columns, "schema": {"openAPIV3Schema": _schema(model)}},
            ],
        },
    }


def custom_resource_definitions() -> dict[str, dict[str, Any]]:
    """Return every CustomResourceDefinition by its plural name."""
    return {
        "searchaccesses": _crd(
            SearchAccess,
            plural="searchaccesses",
            short="sacc",
            scope="Namespaced",
            selectable=[".spec.cluster", ".status.reason"],
            columns=[
                _column("Service", ".status.subject", doc="The workload with its region and project, or its account."),
                _column("Access", ".status.access", doc=_ACCESS),
                _column("Mode", ".status.mode", doc="Enforce, Observe or Suspended."),
                _column("Ready", f"{_READY}.status"),
                _column("Reason", f"{_READY}.reason"),
                _AGE,
                _column("Cluster", ".spec.cluster", wide=True),
                _column("Drift", ".status.drift.open", kind="integer", wide=True, doc=_DRIFT),
                _column("Principal", ".status.identity.principal", wide=True),
                _column("Auth", ".spec.auth", wide=True),
                _column("Next-Rotation", ".status.credential.nextRotation", wide=True),
                _column("Next-Change", ".status.validity.nextChange", wide=True, doc=_NEXT_CHANGE),
                _column("Last-Sync", ".status.lastSyncTime", kind="date", wide=True),
                _column("Last-Used", ".status.usage.lastUsed", kind="date", wide=True, doc=_LAST_USED),
                _column("Message", f"{_READY}.message", wide=True),
            ],
        ),
        "searchclusters": _crd(
            SearchCluster,
            plural="searchclusters",
            short="scl",
            scope="Cluster",
            selectable=[".status.reason"],
            columns=[
                _column("URL", ".status.url"),
                _column("Version", ".status.version"),
                _column("License", ".status.license"),
                _column("Ready", f"{_READY}.status"),
                _column("Reason", f"{_READY}.reason"),
                _column("Accesses", ".status.counts.accesses", kind="integer"),
                _column("Drifted", ".status.counts.drifted", kind="integer"),
                _AGE,
                _column("Foreign", ".status.counts.foreignRoles", kind="integer", wide=True),
                _column("Probe", ".status.probe", wide=True),
                _column("UUID", ".status.uuid", wide=True),
                _column("Login", ".status.login.tier", wide=True),
                _column("Message", f"{_READY}.message", wide=True),
            ],
        ),
        "searchaccesspolicies": _crd(
            SearchAccessPolicy,
            plural="searchaccesspolicies",
            short="sap",
            scope="Cluster",
            selectable=[".status.reason"],
            columns=[
                _column("Mode", ".spec.mode"),
                _column("On-Violation", ".spec.onViolation"),
                _column("Ready", f"{_READY}.status"),
                _column("Accesses", ".status.counts.accesses", kind="integer", doc="SearchAccesses it applies to."),
                _column("Denied", ".status.counts.denied", kind="integer"),
                _column("Would-Deny", ".status.counts.wouldDeny", kind="integer", doc="Violations in Audit."),
                _AGE,
                _column("Accepted", ".status.counts.accepted", kind="integer", wide=True),
                _column("Exempt", ".status.counts.exempt", kind="integer", wide=True),
                _column("Reason", f"{_READY}.reason", wide=True),
                _column("Message", f"{_READY}.message", wide=True),
            ],
        ),
        "searchaccessapprovals": _crd(
            SearchAccessApproval,
            plural="searchaccessapprovals",
            short="saa",
            scope="Namespaced",
            columns=[
                _column("Access", ".spec.name", doc="The SearchAccess that is approved."),
                _column("Generation", ".spec.generation", kind="integer"),
                _column("Approved-By", ".spec.approvedBy.username"),
                _AGE,
                _column("Reason", ".spec.reason", wide=True),
            ],
        ),
    }
