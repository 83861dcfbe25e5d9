"""Which limits each caller of a gateway has: the strictest of all its SearchAccesses (docs/adr/0061-limits.md).

``callers_limits`` is of all callers, ``with_callers`` of those that changed. Both are pure, and take all SearchAccesses
of a principal, whatever is decided about them: those that give it no rights are left out here. As long as no limit
changes, ``with_callers`` returns the very object that it was given.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from searchaccess.api.clusters.gateway import GatewayLimits
from searchaccess.api.vocabulary.actions import Action
from searchaccess.api.vocabulary.apigroups import ApiGroup
from searchaccess.core.gateway.settings import CallerLimits, Rate
from searchaccess.core.model.access import Access
from searchaccess.core.model.admission import Admission
from searchaccess.core.model.consent import ConsentState
from searchaccess.core.model.labels import is_agent
from searchaccess.core.model.limits import BURST, bytes_of

AGENTS: Final = frozenset({ApiGroup.DOCUMENTS, ApiGroup.SEARCH})
"""What an AI agent may call unless it is declared; also ``BULK`` if its principal may write."""
UNREAD: Final = CallerLimits(max_body=2**20, rate=Rate(10, 20), groups=AGENTS)
"""Of a caller of whose limits something cannot be read, as long as it is not known which it had before."""
_MOST_REQUESTS: Final = 100_000
_WRITING: Final = frozenset({Action.APPEND, Action.WRITE, Action.DELETE})


def default_limits(declared: GatewayLimits) -> CallerLimits:
    """Return the limits of callers whose SearchAccesses declare none, from the SearchCluster's declaration."""
    rate = declared.requests_per_second
    body = bytes_of(declared.max_body)
    if rate is None:
        return CallerLimits(body)
    burst = min(rate * BURST, _MOST_REQUESTS) if declared.burst is None else declared.burst
    return CallerLimits(body, Rate(rate, max(rate, burst)))


def strictest(one: CallerLimits, other: CallerLimits) -> CallerLimits:
    """Return what both limits allow: commutative, associative, and never looser than either."""
    return CallerLimits(
        max_body=min(one.max_body, other.max_body),
        rate=_slower(one.rate, other.rate),
        groups=_both(one.groups, other.groups),
    )


def _slower(one: Rate | None, other: Rate | None) -> Rate | None:
    if one is None or other is None:
        return one or other
    return Rate(min(one.per_second, other.per_second), min(one.burst, other.burst))


def _both(one: frozenset[ApiGroup] | None, other: frozenset[ApiGroup] | None) -> frozenset[ApiGroup] | None:
    if one is None or other is None:
        return other if one is None else one
    return one & other


def takes_part(access: Access) -> bool:
    """Return whether the limits of a SearchAccess apply to its caller: it has rights, or may have some left.

    Not of one that is refused, or of which that is not known yet: nobody limits a caller that he may give no rights.
    One that has rights keeps its limits meanwhile. One whose rights end keeps them until Elasticsearch confirmed that
    they are gone, and so does one that is being deleted, as long as it has our finalizer. One whose rights begin soon
    limits before: its limits take their time to reach the gateway's pods. ``suspend`` and ``mode: Observe`` lift no
    limit, as rights stay with them.
    """
    refused = access.admission is Admission.REFUSED or access.verdict.revokes or bool(access.verdict.unknown)
    begins = access.validity.is_near and access.consent.state is not ConsentState.MISSING
    has_none = (refused or (access.is_over and not begins)) and not access.holds_rights
    is_gone = bool(access.deleted_at) and not access.has_finalizer
    return not (has_none or access.has_credential or is_gone)


def may_write(access: Access) -> bool:
    """Return whether a SearchAccess may change documents; raw privileges may, and so may what cannot be read."""
    writing = (claim.privileges or not _WRITING.isdisjoint(claim.actions) for claim in access.claims)
    return access.is_unreadable or any(writing)


def limits_of(members: Iterable[Access], default: CallerLimits, before: CallerLimits | None = None) -> CallerLimits:
    """Return the limits of one caller.

    Args:
        members: all SearchAccesses of its principal on the cluster, in any order.
        default: for what a SearchAccess does not declare.
        before: the limits that the gateway has for it now; None: not known. They stay, at the least, as long as the
            limits of a member cannot be read.
    """
    taking_part = [access for access in members if takes_part(access)]
    return _together(taking_part, default, before)


def _together(members: list[Access], default: CallerLimits, before: CallerLimits | None) -> CallerLimits:
    agents = apis_of_agents(members)
    limits = [own_limits(access, default, agents) for access in members]
    if any(access.limits.unreadable for access in members):
        limits.append(before or UNREAD)
    if not limits:
        return default
    found = limits[0]
    for each in limits[1:]:
        found = strictest(found, each)
    return found


def apis_of_agents(members: Iterable[Access]) -> frozenset[ApiGroup]:
    """Return what AI agents among the SearchAccesses of a principal may call unless it is declared."""
    return AGENTS | {ApiGroup.BULK} if any(map(may_write, members)) else AGENTS


def own_limits(access: Access, default: CallerLimits, agents: frozenset[ApiGroup]) -> CallerLimits:
    """Return the limits of one SearchAccess by itself.

    Args:
        access: the SearchAccess.
        default: for what it does not declare.
        agents: what AI agents may call, see ``apis_of_agents``.
    """
    declared = access.limits
    rate = default.rate
    if declared.per_second is not None and declared.burst is not None:
        rate = Rate(declared.per_second, declared.burst)
    groups = default.groups
    if declared.apis is not None:
        groups = declared.apis
    elif is_agent(access):
        groups = _both(agents, default.groups)
    return CallerLimits(default.max_body if declared.max_body is None else declared.max_body, rate, groups)


def callers_limits(
    callers: Mapping[str, Iterable[Access]],
    default: CallerLimits,
    before: Mapping[str, CallerLimits] | None = None,
) -> Mapping[str, CallerLimits]:
    """Return the limits of all callers that differ from the default, for ``GatewaySettings.callers``.

    Args:
        callers: by e-mail address, all SearchAccesses of the principal on the cluster.
        default: of callers whose SearchAccesses declare none, see ``default_limits``.
        before: what was returned before; None: not known.
    """
    limits = {
        email: limits_of(members, default, None if before is None else before.get(email, default))
        for email, members in callers.items()
    }
    return {email: each for email, each in limits.items() if each != default}


def with_callers(
    limits: Mapping[str, CallerLimits], changed: Mapping[str, Iterable[Access]], default: CallerLimits
) -> Mapping[str, CallerLimits]:
    """Return the limits of all callers after the SearchAccesses of some changed: the same object if no limit did.

    Args:
        limits: of all callers, as returned by ``callers_limits`` or by this.
        changed: by e-mail address, all SearchAccesses of the principal; none: it is no caller any more.
        default: as for ``callers_limits``.
    """
    news: dict[str, CallerLimits] = {}
    for email, members in changed.items():
        was = limits.get(email, default)
        found = limits_of(members, default, was)
        if found != was:
            news[email] = found
    if not news:
        return limits
    return {email: each for email, each in (dict(limits) | news).items() if each != default}
