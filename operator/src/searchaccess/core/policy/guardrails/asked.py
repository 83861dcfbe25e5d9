"""What policies evaluate of a SearchAccess: hashable, so that evaluations of equal ones are remembered.

The rules of policies get these parts and nothing else. So what they say can depend on nothing that is not compared.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from searchaccess.api.searchaccess import DeletionPolicy, Mode
from searchaccess.api.stores.credentials import Auth
from searchaccess.core.model.access import Access
from searchaccess.core.model.claims import Claim
from searchaccess.core.model.limits import DeclaredLimits
from searchaccess.core.patterns.meeting import plain_prefix_of
from searchaccess.core.policy.guardrails.subjects import Who, who_of

_SPECIAL: Final = re.compile(r"[*?\\/]")
_FEW_INDICES: Final = 20
WHOLE_NAME: Final = 1_000
"""More than the literal prefix of any wildcard."""


class Shown(NamedTuple):
    """Which documents and fields one grant shows, see ``Claim``."""

    reads: bool
    by_query: bool
    broad: bool
    include: tuple[str, ...]
    exclude: tuple[str, ...]


class Terms(NamedTuple):
    """What ``require`` evaluates, without times.

    Args:
        shown: of each grant.
        auth: how it logs in.
        rotate_every: how often its credential is rotated; None: it has none.
        annotated: names of its annotations that have a value.
        mode: its mode.
        limits: the limits of its caller.
        has_credential: whether it logs in with a credential.
    """

    shown: tuple[Shown, ...]
    auth: Auth
    rotate_every: str | None
    annotated: tuple[str, ...]
    mode: Mode
    limits: DeclaredLimits
    has_credential: bool

    @property
    def without_annotations(self) -> "Terms":
        """The same for policies that require no annotations."""
        return Terms(self.shown, self.auth, self.rotate_every, (), self.mode, self.limits, self.has_credential)


class Times(NamedTuple):
    """When the rights begin and end.

    Args:
        begins: in seconds since the epoch; None: it is not declared.
        ends: the same.
        created_at: RFC 3339; empty: it is not known.
    """

    begins: int | None
    ends: int | None
    created_at: str


class Size(NamedTuple):
    """How many indices are named, and how.

    Args:
        grants: their number.
        patterns: number of index names and patterns of all grants.
        expressions: whether there are regular expressions.
        prefix: characters before the first wildcard, where they are fewest.
    """

    grants: int
    patterns: int
    expressions: bool
    prefix: int


class Extent(NamedTuple):
    """What ``limits`` look at, without the indices.

    Args:
        privileges: of each grant, whether it has raw privileges.
        clusters: of each grant, the remote clusters.
        cluster_can: privileges for the cluster.
        kibana: whether something of Kibana is declared.
        deletion_policy: what happens at deletion.
        adopt: whether it is to adopt a role.
        store: where its credential is; None: it has none.
        secret: the name of its credential.
        namespace: its namespace.
    """

    privileges: tuple[bool, ...]
    clusters: tuple[tuple[str, ...], ...]
    cluster_can: tuple[str, ...]
    kibana: bool
    deletion_policy: DeletionPolicy
    adopt: bool
    store: str | None
    secret: str
    namespace: str

    @property
    def without_secret(self) -> "Extent":
        """The same for policies that do not limit names of secrets."""
        return Extent(*self[:-2], "", "")


class Asked(NamedTuple):
    """All that the rules of a policy look at.

    Args:
        who: the subject.
        claims: what each grant asks for.
        terms: what ``require`` evaluates.
        times: when the rights begin and end.
        extent: what ``limits`` look at.
    """

    who: Who
    claims: tuple[Claim, ...]
    terms: Terms
    times: Times
    extent: Extent


def asked_of(access: Access) -> Asked:
    """Return what policies look at of a SearchAccess."""
    claims, credential, share, box = access.claims, access.credential, access.share, access.time_box
    return Asked(
        who_of(access),
        claims,
        Terms(
            tuple([Shown(each.reads, each.by_query, each.broad, each.include, each.exclude) for each in claims]),
            access.auth,
            credential.rotate_every if credential else None,
            access.annotated,
            access.mode,
            access.limits,
            access.has_credential,
        ),
        Times(box.begins, box.ends, access.created_at),
        Extent(
            tuple([bool(each.privileges) for each in claims]),
            tuple([each.clusters for each in claims]),
            share.cluster,
            any(each.application for each in share.entries),
            access.deletion_policy,
            bool(access.adopt),
            credential.store if credential else None,
            credential.name if credential else "",
            access.namespace,
        ),
    )


def size_of(claims: Sequence[Claim], prefix: int) -> Size:
    """Return how many indices are named.

    Args:
        claims: what each grant asks for.
        prefix: the least of what ``literal_prefix`` says of their patterns.
    """
    return Size(
        len(claims),
        sum([len(each.indices) for each in claims]),
        any(pattern[:1] == "/" for each in claims for pattern in each.indices),
        min(prefix, WHOLE_NAME),
    )


def is_plain(claims: Sequence[Claim]) -> bool:
    """Return whether few indices are named, each by its name or by what it begins with."""
    indices = [pattern for each in claims for pattern in each.indices]
    return len(indices) <= _FEW_INDICES and all(plain_prefix_of(pattern) for pattern in indices)


def literal_prefix(pattern: str) -> int:
    """Return how many characters a pattern begins with that stand for themselves; of a whole name, any number."""
    found = _SPECIAL.search(pattern)
    return len(pattern) + WHOLE_NAME if found is None else found.start()
