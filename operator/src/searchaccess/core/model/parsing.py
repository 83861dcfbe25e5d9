"""Reads SearchAccess objects as Kubernetes gives them."""

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any, Final, TypeVar

from searchaccess.api.constants import (
    ANNOTATION_ADOPT,
    ANNOTATION_BREAK_GLASS,
    ANNOTATION_RECONCILE,
    ANNOTATION_REQUESTED_BY,
    ANNOTATION_ROTATE,
    CLUSTER_NAME_LIMIT,
)
from searchaccess.api.searchaccess import DeletionPolicy, Mode, SearchAccessSpec
from searchaccess.api.stores.credentials import Auth
from searchaccess.api.vocabulary.actions import Action
from searchaccess.core.model.access import Access, Share, Subject
from searchaccess.core.model.canonical import Entry, canonical_json, canonical_query, digest
from searchaccess.core.model.claims import claims_of
from searchaccess.core.model.grants.actions import confined_privileges, privileges_of
from searchaccess.core.model.grants.kibana import kibana_entries
from searchaccess.core.model.grants.remote import REMOTELY
from searchaccess.core.model.identities.workload import Place, Workload, WorkloadKind, is_service_account
from searchaccess.core.model.intake.metadata import (
    NAME_LIMIT,
    Metadata,
    bounded_text,
    metadata_of,
    part,
    shared,
    shared_texts,
    text_in,
)
from searchaccess.core.model.intake.validation import MESSAGE_LIMIT, validated
from searchaccess.core.model.limits import limits_in
from searchaccess.core.model.problems import problem_of, reference_problem
from searchaccess.core.model.restrictions.fields import ALL, where_limited, with_all_below
from searchaccess.core.model.restrictions.union import conflict_within, restricts, widening_grants
from searchaccess.core.model.summaries import summary_of
from searchaccess.core.model.timeboxes.timebox import ALWAYS, NOT_COMPARED, time_box_in
from searchaccess.core.patterns.marks import mark_for
from searchaccess.core.patterns.meeting import meet
from searchaccess.core.patterns.wildcards import without_runs

Choice = TypeVar("Choice", bound=StrEnum)

_WORKLOADS: Final = {
    "cloudRunService": WorkloadKind.SERVICE,
    "cloudRunJob": WorkloadKind.JOB,
    "cloudRunWorkerPool": WorkloadKind.WORKER_POOL,
}


def build_share(spec: SearchAccessSpec) -> Share:
    """Return the rights that a spec declares: one entry per grant, those in Kibana last."""
    entries = []
    limited = where_limited(spec)
    for grant in spec.grants:
        fields, indices = grant.fields, tuple(sorted(set(map(without_runs, grant.indices))))
        confined = bool(limited) and Action.WRITE in grant.can and meet(indices, limited)
        privileges = confined_privileges if confined else privileges_of
        clusters = tuple(sorted(set(grant.remote_clusters or ())))
        raw = (*grant.privileges, *(REMOTELY if clusters else ()))
        entry = Entry(
            names=indices,
            privileges=shared_texts(privileges(tuple(grant.can), raw)),
            include=with_all_below(fields.include) if fields else (ALL,),
            exclude=with_all_below(fields.exclude) if fields else (),
            query=canonical_query(grant.where),
            clusters=shared_texts(clusters),
        )
        entries.append(kept_apart(entry))
    return Share((*entries, *kibana_entries(spec)), tuple(sorted(set(spec.cluster_can))))


def kept_apart(entry: Entry) -> Entry:
    """Add a unique name to a restricted entry, so that its restriction cannot get lost.

    Elasticsearch merges the entries of a caller's roles that have the same set of names. It drops a restriction that
    only one of them has. A caller that may read some documents, and delete any, would see all of them (docs/adr/0011).
    """
    if not restricts(entry):
        return entry
    mark = mark_for(digest(canonical_json([entry.query, entry.include, entry.exclude])))
    return replace(entry, names=tuple(sorted({*entry.names, mark})))


def access_from_object(raw: Mapping[str, Any]) -> Access:
    """Read a SearchAccess as Kubernetes gives it.

    Never raises for an invalid spec: ``invalid`` of the result names the problem, so that no other object is affected.
    """
    outline = _outline(meta := metadata_of(raw), part(raw, "spec"), "")
    spec, invalid = validated(SearchAccessSpec, raw.get("spec"), meta.last_applied)
    if spec is None:
        return replace(outline, invalid=invalid)
    invalid = bounded_text(outline.time_box.problem or problem_of(spec) or outline.limits.problem, MESSAGE_LIMIT)
    share = Share() if invalid else build_share(spec)
    found = conflict_within(share.entries, [f"spec.grants[{number}]" for number in range(len(share.entries))])
    return replace(
        outline,
        cluster=shared(spec.cluster),
        share=share,
        widens=bounded_text(widening_grants(found), MESSAGE_LIMIT) if found else "",
        summary=summary_of(spec),
        mode=spec.mode,
        suspend=spec.suspend,
        deletion_policy=spec.deletion_policy,
        invalid=invalid,
        auth=spec.auth,
        credential=spec.credential,
        claims=claims_of(spec),
    )


def access_outline(raw: Any, fault: str = "") -> Access:
    """Read the parts of a SearchAccess that need no valid spec: who has its rights, and how they are managed.

    Never raises: nothing is traversed, and a value of the wrong form counts as absent.

    Args:
        raw: the object, as Kubernetes gives it.
        fault: the unexpected error when it was read.
    """
    return _outline(metadata_of(raw), part(raw, "spec"), fault)


def _outline(meta: Metadata, given: Mapping[str, Any], fault: str) -> Access:
    subject, auth = _subject(given), _choice(Auth, given, "auth", Auth.IDENTITY_TOKEN)
    box = time_box_in(given, meta.created_at)
    return Access(
        uid=meta.uid,
        namespace=meta.namespace,
        name=meta.name,
        generation=meta.generation,
        resource_version=meta.resource_version,
        cluster=shared(text_in(given, "cluster", CLUSTER_NAME_LIMIT)),
        subject=subject,
        principals=(subject,) if isinstance(subject, str) and auth is Auth.IDENTITY_TOKEN else (),
        share=Share(),
        summary="",
        mode=_choice(Mode, given, "mode", Mode.ENFORCE),
        suspend=given.get("suspend") is True,
        deletion_policy=_choice(DeletionPolicy, given, "deletionPolicy", DeletionPolicy.DELETE),
        deleted_at=meta.deleted_at,
        created_at=meta.created_at,
        finalizers=meta.finalizers,
        adopt=meta.annotation(ANNOTATION_ADOPT, NAME_LIMIT),
        reconcile_requested=meta.annotation(ANNOTATION_RECONCILE),
        invalid="",
        auth=auth,
        rotate_requested=meta.annotation(ANNOTATION_ROTATE),
        fault=fault,
        labels=meta.labels,
        annotated=meta.annotated,
        time_box=box,
        requested_by=meta.annotation(ANNOTATION_REQUESTED_BY, NAME_LIMIT),
        break_glass=meta.annotation(ANNOTATION_BREAK_GLASS, NAME_LIMIT).strip(),
        validity=NOT_COMPARED if box.is_limited else ALWAYS,
        limits=limits_in(given),
    )


def _choice(kind: type[Choice], given: Mapping[str, Any], key: str, default: Choice) -> Choice:
    found = given.get(key)
    try:
        return kind(found) if isinstance(found, str) else default
    except ValueError:
        return default


def _subject(given: Mapping[str, Any]) -> Subject | None:
    """Read who gets the rights, even from a spec that is invalid elsewhere, so that it keeps its rights."""
    subject = given.get("subject")
    if not isinstance(subject, Mapping):
        return None
    for field, kind in _WORKLOADS.items():
        reference = subject.get(field)
        if isinstance(reference, Mapping):
            project, location, name = (text_in(reference, key) for key in ("project", "location", "name"))
            wrong = reference_problem(project, location, name)
            return None if wrong else Workload(Place(project, location, kind), name)
    account = text_in(subject, "serviceAccount")
    return account if is_service_account(account) else None
