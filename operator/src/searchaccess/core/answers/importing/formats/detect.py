"""Recognizes what a parsed document is, and reads it.

Answers of Elasticsearch's security API and ``roles.yml`` are objects by name without a kind. Kubernetes objects and
Terraform states say what they are.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from searchaccess.core.answers.importing.formats.eck import eck_object
from searchaccess.core.answers.importing.formats.opensearch import opensearch_object
from searchaccess.core.answers.importing.formats.terraform import state
from searchaccess.core.answers.importing.material import Material, keys_in, mappings_in, roles_in, users_in
from searchaccess.core.model.intake.bounds import excess
from searchaccess.core.model.intake.reading import DEPTH

_MOST_VALUES: Final = 2_000_000
_ROLE: Final = frozenset({"cluster", "indices", "applications", "run_as", "remote_indices", "remote_cluster", "global"})
_BY_GROUP: Final = {
    "es.eck.github.com": eck_object,
    "opensearch.opster.io": opensearch_object,
    "opensearch.org": opensearch_object,
}
_Reader = Callable[[Mapping[str, Any]], Material]


class UnknownDocumentError(ValueError):
    """A document is nothing that can be imported; the message says what is known."""


def material_in(document: Any) -> Material:
    """Read one document of a file.

    Args:
        document: as a YAML or JSON reader gives it.

    Raises:
        UnknownDocumentError: it cannot be read as anything that is known.
    """
    if too := excess(document, depth=DEPTH, nodes=_MOST_VALUES):
        raise UnknownDocumentError(f"it cannot be read: {too}")
    if not isinstance(document, Mapping):
        raise UnknownDocumentError("it is not an object")
    if document.get("kind") == "List":
        return together(map(material_in, document.get("items") or ()))
    if "apiVersion" in document and "kind" in document:
        read = _BY_GROUP.get(str(document["apiVersion"]).partition("/")[0])
        # Objects of other kinds are in the same folders.
        return read(document) if read else Material()
    if "terraform_version" in document or document.get("resources") is not None:
        return state(document)
    return _answer(document)


def together(found: Iterable[Material]) -> Material:
    """Return what several documents have."""
    whole = Material()
    for one in found:
        whole += one
    return whole


def _answer(document: Mapping[str, Any]) -> Material:
    """Read an answer of the security API, or a ``roles.yml``."""
    if isinstance(document.get("api_keys"), list):
        return keys_in(document["api_keys"])
    if isinstance(document.get("users"), list):
        return users_in(document["users"])
    values = [value for value in document.values() if isinstance(value, Mapping)]
    if len(values) == len(document) and values:
        if all("rules" in value for value in values):
            return mappings_in(document)
        if all("username" in value for value in values):
            return users_in(values)
        if all(not _ROLE.isdisjoint(value) or not value for value in values):
            return roles_in(document)
    if not document:
        return Material()
    raise UnknownDocumentError(
        "it is not known: give an answer of GET _security/role, role_mapping, user or _query/api_key, a roles.yml, a "
        "Terraform state, or objects of eck-custom-resources or of the OpenSearch operator"
    )
