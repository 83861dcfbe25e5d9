"""Reads an object's metadata, whatever form it has."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from sys import intern
from typing import Any, Final

from searchaccess.core.model.canonical import canonical_json, digest
from searchaccess.core.model.intake.bounds import DIGITS

NAME_LIMIT: Final = 512
"""Characters of an annotation that names an object; names in Elasticsearch have at most 507."""
KEPT: Final = 256
"""Number of distinct lists of texts that are shared."""
LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
MOST_LABELS: Final = 200
"""More of an object's labels or annotations are not read."""
REQUEST_LIMIT: Final = 128
"""Characters of an annotation that requests something: it is echoed in statuses and in the metadata of keys."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """Metadata of an object. What is missing or malformed is empty."""

    uid: str = ""
    namespace: str = ""
    name: str = ""
    generation: int = 0
    resource_version: str = ""
    created_at: str = ""
    deleted_at: str = ""
    finalizers: tuple[str, ...] = ()
    annotations: Mapping[str, Any] = field(default_factory=dict)
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def annotated(self) -> tuple[str, ...]:
        """Names of the annotations that have a value, sorted."""
        named = (
            name for name, value in islice(self.annotations.items(), MOST_LABELS) if _is_text(name) and _says(value)
        )
        return shared_texts(tuple(sorted(named)))

    def annotation(self, name: str, limit: int = REQUEST_LIMIT) -> str:
        """Return an annotation; a longer one is cut and marked, so that different values stay different."""
        given = self.annotations.get(name)
        return bounded_text(given, limit) if isinstance(given, str) else ""

    @property
    def last_applied(self) -> str:
        """The object as given to ``kubectl apply``, as JSON; empty: not known."""
        found = self.annotations.get(LAST_APPLIED)
        return found if isinstance(found, str) else ""


def metadata_of(raw: Any) -> Metadata:
    """Read an object's metadata. Never raises."""
    meta = part(raw, "metadata")
    generation, finalizers = meta.get("generation"), meta.get("finalizers")
    return Metadata(
        uid=text_in(meta, "uid"),
        # Thousands of objects share these.
        namespace=shared(text_in(meta, "namespace")),
        name=text_in(meta, "name"),
        generation=generation if type(generation) is int and 0 <= generation < 10**DIGITS else 0,
        resource_version=text_in(meta, "resourceVersion"),
        created_at=text_in(meta, "creationTimestamp"),
        deleted_at=text_in(meta, "deletionTimestamp"),
        finalizers=shared_texts(tuple(item for item in finalizers if isinstance(item, str)))
        if isinstance(finalizers, list)
        else (),
        annotations=part(meta, "annotations"),
        labels=_labels(part(meta, "labels")),
    )


def _says(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= NAME_LIMIT


def _labels(given: Mapping[Any, Any]) -> tuple[tuple[str, str], ...]:
    """Return labels sorted by name."""
    if not given:
        return ()
    pairs = ((name, value) for name, value in islice(given.items(), MOST_LABELS) if _is_text(name) and _is_text(value))
    return _shared_pairs(tuple(sorted(pairs)))


@lru_cache(KEPT)
def _shared_pairs(pairs: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Return one tuple for all equal ones."""
    return tuple((shared(name), shared(value)) for name, value in pairs)


def shared(text: str) -> str:
    """Return one text for all equal ones, so that texts of thousands of objects are stored once."""
    return intern(text) if type(text) is str else text


@lru_cache(KEPT)
def shared_texts(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return one tuple for all equal ones."""
    return tuple(map(shared, texts))


def last_applied(raw: Any) -> str:
    """Return an object as given to ``kubectl apply``, as JSON; empty: not known."""
    return metadata_of(raw).last_applied


def version_of(resource_version: str) -> int:
    """Return a resource version as a number that grows; 0 when it is none."""
    return int(resource_version) if resource_version.isdecimal() and len(resource_version) <= DIGITS else 0


def part(raw: Any, key: str) -> Mapping[str, Any]:
    """Return a nested object; an empty one when there is none."""
    # A dictionary is recognized several times faster by its type.
    found = raw.get(key) if type(raw) is dict or isinstance(raw, Mapping) else None
    return found if type(found) is dict or isinstance(found, Mapping) else {}


def text_in(raw: Mapping[str, Any], key: str, limit: int = NAME_LIMIT) -> str:
    """Return a text in an object; empty if there is none, or it is too long."""
    found = raw.get(key)
    return found if isinstance(found, str) and len(found) <= limit else ""


def bounded_text(text: str, limit: int) -> str:
    """Return a text of at most that length: a longer one is cut, with its hash at the end."""
    if len(text) <= limit:
        return text
    mark = f"…{digest(canonical_json(text))}"
    return text[: limit - len(mark)] + mark
