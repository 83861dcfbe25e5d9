"""Subjects and rights in a few characters, as the columns SERVICE and ACCESS show them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from searchaccess.api.searchaccess import Grant, SearchAccessSpec
from searchaccess.api.vocabulary.actions import RESTRICTED
from searchaccess.core.model.grants.actions import letters_of
from searchaccess.core.model.identities.workload import Workload, WorkloadKind

_ACCOUNT_SUFFIX: Final = ".iam.gserviceaccount.com"
_SHOWN: Final = {WorkloadKind.SERVICE: "", WorkloadKind.JOB: "job/", WorkloadKind.WORKER_POOL: "workerpool/"}


@dataclass(frozen=True, slots=True)
class Part:
    """Some rights on some indices."""

    letters: str
    """What may be done."""
    indices: Sequence[str]
    clusters: Sequence[str] = ()
    """Remote clusters that have the indices; empty: they are the cluster's own."""
    restricted: bool = False
    """Only some documents or fields may be read."""

    @property
    def mark(self) -> str:
        """What marks restricted rights."""
        return RESTRICTED if self.restricted else ""


def shown_subject(subject: Workload | str | None) -> str:
    """Return a subject in short: ``orders.europe-west1.acme-shop``, or ``orders@acme-shop`` for a service account."""
    if not isinstance(subject, Workload):
        return (subject or "").removesuffix(_ACCOUNT_SUFFIX)
    place = subject.place
    return f"{_SHOWN[place.kind]}{subject.name}.{place.location}.{place.project}"


def shown_rights(parts: Sequence[Part], *, on_cluster: bool, in_kibana: bool) -> str:
    """Return rights in short: ``rw orders-* +1``, with a mark where only some documents or fields may be read.

    Args:
        parts: rights on indices.
        on_cluster: there are cluster privileges, too.
        in_kibana: there are rights in Kibana, too.
    """
    texts = []
    if parts:
        first = parts[0]
        place = f"{first.clusters[0]}:" if first.clusters else ""
        texts.append(f"{first.letters}{first.mark} {place}{first.indices[0] if first.indices else '?'}")
        more = sum(len(part.indices) * (len(part.clusters) or 1) for part in parts) - 1
        mark = next((part.mark for part in parts[1:] if part.restricted), "")
        texts += [f"+{more}{mark}"] if more > 0 else []
        texts += ["+remote"] if not first.clusters and any(part.clusters for part in parts) else []
    texts += [f"{'+' if texts else ''}cluster"] if on_cluster else []
    texts += [f"{'+' if texts else ''}kibana"] if in_kibana else []
    return " ".join(texts)


def summary_of(spec: SearchAccessSpec) -> str:
    """Return the rights that a spec declares in short."""
    parts = [
        Part(
            letters_of(tuple(grant.can), raw=bool(grant.privileges)),
            grant.indices,
            grant.remote_clusters or (),
            restricted=_is_restricted(grant),
        )
        for grant in spec.grants
    ]
    return shown_rights(parts, on_cluster=bool(spec.cluster_can), in_kibana=bool(spec.kibana))


def _is_restricted(grant: Grant) -> bool:
    fields = grant.fields
    return grant.where is not None or (fields is not None and (bool(fields.exclude) or "*" not in fields.include))
