"""A SearchAccess as the core sees it: small, immutable, already checked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from pydantic import ValidationError

from searchaccess.api.constants import ANNOTATION_ADOPT, ANNOTATION_RECONCILE, FINALIZER
from searchaccess.api.searchaccess import (
    PRIVILEGE_PATTERNS,
    SERVICE_ACCOUNT_PATTERN,
    DeletionPolicy,
    Mode,
    SearchAccessSpec,
)
from searchaccess.core.actions import letters_of, privileges_of
from searchaccess.core.canonical import NO_INDEX, Entry, canonical_json, canonical_query, digest
from searchaccess.core.lucene import PatternError, check_index_pattern

LAYOUT: Final = 1
"""Version of the way in which rights are written down. A change makes every role pending, not drifted."""


@dataclass(frozen=True, slots=True)
class Share:
    """The part of a role that is due to one SearchAccess."""

    entries: tuple[Entry, ...] = ()
    cluster: tuple[str, ...] = ()

    def same_as(self, another: "Share") -> bool:
        """Say whether both grant the same."""
        return self.cluster == another.cluster and sorted(self.entries) == sorted(another.entries)

    @property
    def hash(self) -> str:
        """Identify the rights."""
        return digest(canonical_json([LAYOUT, [entry.to_json() for entry in sorted(self.entries)], list(self.cluster)]))


@dataclass(frozen=True, slots=True)
class Access:
    """What one SearchAccess declares, and what the loop needs to know about it."""

    uid: str
    namespace: str
    name: str
    generation: int
    resource_version: str
    cluster: str
    principal: str
    share: Share
    summary: str
    mode: Mode
    suspend: bool
    deletion_policy: DeletionPolicy
    deleted_at: str
    """When deletion was asked for (RFC 3339); empty: it lives."""
    finalizers: tuple[str, ...]
    adopt: str
    reconcile_requested: str
    invalid: str
    """Why the spec cannot be applied; empty: it can."""

    @property
    def ref(self) -> str:
        """``namespace/name``."""
        return f"{self.namespace}/{self.name}"

    @property
    def has_finalizer(self) -> bool:
        """Whether our finalizer is in place."""
        return FINALIZER in self.finalizers

    @property
    def restricts_documents(self) -> bool:
        """Whether it needs document- or field-level security."""
        return any(restricts(entry) for entry in self.share.entries)


def build_share(spec: SearchAccessSpec) -> Share:
    """Give the rights that a spec declares: one entry per grant."""
    entries = []
    for grant in spec.grants:
        fields = grant.fields
        entry = Entry(
            names=tuple(sorted(set(grant.indices))),
            privileges=privileges_of(tuple(grant.can), tuple(grant.privileges)),
            include=tuple(sorted(set(fields.include))) if fields else ("*",),
            exclude=tuple(sorted(set(fields.exclude))) if fields else (),
            query=canonical_query(grant.where),
        )
        entries.append(kept_apart(entry))
    return Share(tuple(entries), tuple(sorted(set(spec.cluster_can))))


def kept_apart(entry: Entry) -> Entry:
    """Give a restricted entry a name that no other entry has, so that its restriction cannot get lost.

    Elasticsearch merges all entries of a caller's roles that have the same set of names, and drops a restriction that
    only one of them has: a reader of some documents who may also delete would see every document (docs/adr/0011).
    """
    if not restricts(entry):
        return entry
    mark = NO_INDEX + digest(canonical_json([entry.query, entry.include, entry.exclude]))
    return replace(entry, names=tuple(sorted({*entry.names, mark})))


def restricts(entry: Entry) -> bool:
    """Say whether an entry needs document- or field-level security."""
    return bool(entry.query or entry.exclude) or entry.include != ("*",)


def summary_of(spec: SearchAccessSpec) -> str:
    """Give the rights in short, as the ACCESS column shows them: ``rw orders-* +1``."""
    if not spec.grants:
        return "cluster"
    first = spec.grants[0]
    text = f"{letters_of(tuple(first.can), raw=bool(first.privileges))} {first.indices[0]}"
    more = sum(len(grant.indices) for grant in spec.grants) - 1
    return f"{text} +{more}" if more else text


def _problems(spec: SearchAccessSpec) -> str:
    """Say what is wrong although the model takes it: the CRD's CEL rules once more, and what CEL cannot express."""
    if not _is_service_account(spec.subject.service_account):
        return "spec.subject.serviceAccount: not the e-mail address of a Google service account in lower case"
    for position, grant in enumerate(spec.grants):
        for pattern in grant.indices:
            try:
                check_index_pattern(pattern)
            except PatternError as error:
                return f"spec.grants[{position}].indices: {pattern!r}: {error}"
        for name in grant.privileges:
            if not any(re.fullmatch(known, name) for known in PRIVILEGE_PATTERNS):
                return f"spec.grants[{position}].privileges: {name!r} is not the name of a privilege"
    return ""


def _validation_message(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in ("spec", *first["loc"]))
    return f"{where}: {first['msg']}"


def access_from_object(raw: Mapping[str, Any]) -> Access:
    """Read a SearchAccess as Kubernetes gives it.

    Never raises for a bad spec: the result says in ``invalid`` what is wrong, so that it spoils nobody else.
    """
    meta = raw["metadata"]
    annotations = meta.get("annotations") or {}
    given = raw.get("spec") or {}
    known = given if isinstance(given, Mapping) else {}
    spec: SearchAccessSpec | None = None
    try:
        spec = SearchAccessSpec.model_validate(given)
        invalid = _problems(spec)
    except ValidationError as error:
        invalid = _validation_message(error)
    return Access(
        uid=meta["uid"],
        namespace=meta["namespace"],
        name=meta["name"],
        generation=int(meta.get("generation", 0)),
        resource_version=str(meta.get("resourceVersion", "")),
        cluster=spec.cluster if spec else str(known.get("cluster", "")),
        principal=_principal(known),
        share=build_share(spec) if spec and not invalid else Share(),
        summary=summary_of(spec) if spec else "",
        mode=spec.mode if spec else _mode(known),
        suspend=spec.suspend if spec else known.get("suspend") is True,
        deletion_policy=spec.deletion_policy if spec else _policy(known),
        deleted_at=str(meta.get("deletionTimestamp") or ""),
        finalizers=tuple(meta.get("finalizers") or ()),
        adopt=str(annotations.get(ANNOTATION_ADOPT, "")),
        reconcile_requested=str(annotations.get(ANNOTATION_RECONCILE, "")),
        invalid=invalid,
    )


def _principal(given: Mapping[str, Any]) -> str:
    subject = given.get("subject")
    account = subject.get("serviceAccount") if isinstance(subject, Mapping) else None
    return account if isinstance(account, str) and _is_service_account(account) else ""


def _is_service_account(text: str) -> bool:
    return re.fullmatch(SERVICE_ACCOUNT_PATTERN, text) is not None


def _mode(given: Mapping[str, Any]) -> Mode:
    return Mode.OBSERVE if given.get("mode") == Mode.OBSERVE else Mode.ENFORCE


def _policy(given: Mapping[str, Any]) -> DeletionPolicy:
    try:
        return DeletionPolicy(given.get("deletionPolicy", DeletionPolicy.DELETE))
    except ValueError:
        return DeletionPolicy.DELETE
