"""Whether a SearchAccess limits its caller as a policy requires.

What counts is what it declares itself: what its SearchCluster limits by default may change without the policy.
"""

from collections.abc import Iterator

from searchaccess.api.policies.limits import RequiredLimits
from searchaccess.api.vocabulary.apigroups import ApiGroup
from searchaccess.core.messages import some_of
from searchaccess.core.model.limits import BURST, DeclaredLimits, bytes_of, shown_bytes


def unlimited(require: RequiredLimits, declared: DeclaredLimits, *, has_credential: bool) -> Iterator[str]:
    """Yield how a SearchAccess limits its caller less than required, and what to write instead.

    Args:
        require: what is required.
        declared: its limits.
        has_credential: whether it logs in with a credential, not with an identity token.
    """
    if has_credential:
        yield "limits are required, which only a gateway enforces: write auth: IdentityToken, and limits"
        return
    if (most := require.requests_per_second) is not None:
        yield from _beyond("requestsPerSecond", declared.per_second, most)
    if (burst := burst_of(require)) is not None:
        # It is derived from the rate where it is not declared.
        if declared.burst is not None and declared.burst > burst:
            yield f"limits.burst: {declared.burst} is not accepted: write at most {burst}"
        elif declared.burst is None and most is None:
            yield f"limits.burst is required: write at most {burst}, with requestsPerSecond"
    if require.max_body is not None:
        yield from _beyond("maxBody", declared.max_body, bytes_of(require.max_body), require.max_body)
    if require.apis is not None:
        yield from _beyond_apis(declared.apis, require.apis)


def burst_of(require: RequiredLimits) -> int | None:
    """Return the highest accepted burst; None: any."""
    if require.burst is not None or require.requests_per_second is None:
        return require.burst
    return require.requests_per_second * BURST


def _beyond(field: str, declared: int | None, most: int, shown: str = "") -> Iterator[str]:
    if declared is None:
        yield f"limits.{field} is required: write at most {shown or most}"
    elif declared > most:
        found = shown_bytes(declared) if shown else str(declared)
        yield f"limits.{field}: {found} is not accepted: write at most {shown or most}"


def _beyond_apis(declared: frozenset[ApiGroup] | None, accepted: list[ApiGroup]) -> Iterator[str]:
    write = f"write some of {some_of([str(group) for group in accepted])}"
    if declared is None:
        yield f"limits.apis is required: {write}"
    elif beyond := [str(group) for group in ApiGroup if group in declared and group not in accepted]:
        yield f"limits.apis: {some_of(beyond)} is not accepted: {write}"
