"""What a SearchAccess asks for, in the words of its spec: what guardrails are compared with."""

from collections.abc import Iterator
from dataclasses import dataclass

from searchaccess.api.searchaccess import SearchAccessSpec
from searchaccess.api.vocabulary.actions import Action
from searchaccess.core.model.grants.actions import in_order
from searchaccess.core.model.intake.metadata import shared_texts
from searchaccess.core.model.restrictions.breadth import may_match_all
from searchaccess.core.model.restrictions.fields import ALL, with_all_below


@dataclass(frozen=True, slots=True)
class Claim:
    """What one grant asks for.

    Args:
        indices: names and patterns, as they are written.
        actions: the declared actions.
        privileges: Elasticsearch's own names.
        clusters: remote clusters; empty: the indices are the SearchCluster's own.
        include: fields that may be read, with all below them.
        exclude: fields that may not be read, with all below them.
        by_query: whether only documents that a query matches may be read.
        broad: whether that query may match every document, by its form.
    """

    indices: tuple[str, ...]
    actions: tuple[Action, ...] = ()
    privileges: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    include: tuple[str, ...] = (ALL,)
    exclude: tuple[str, ...] = ()
    by_query: bool = False
    broad: bool = False

    @property
    def reads(self) -> bool:
        """Whether documents may be read by it. Of raw privileges it is assumed."""
        return Action.READ in self.actions or bool(self.privileges)

    @property
    def hides_fields(self) -> bool:
        """Whether only some fields may be read."""
        return bool(self.exclude) or self.include != (ALL,)


def claims_of(spec: SearchAccessSpec) -> tuple[Claim, ...]:
    """Return what each grant of a spec asks for, in their order."""
    return tuple(_claims(spec))


def _claims(spec: SearchAccessSpec) -> Iterator[Claim]:
    for grant in spec.grants:
        fields = grant.fields
        yield Claim(
            indices=shared_texts(tuple(dict.fromkeys(grant.indices))),
            actions=in_order(tuple(grant.can)),
            privileges=shared_texts(tuple(sorted(set(grant.privileges)))),
            clusters=shared_texts(tuple(sorted(set(grant.remote_clusters or ())))),
            include=shared_texts(with_all_below(fields.include)) if fields else (ALL,),
            exclude=shared_texts(with_all_below(fields.exclude)) if fields else (),
            by_query=grant.where is not None,
            broad=grant.where is not None and may_match_all(grant.where),
        )
