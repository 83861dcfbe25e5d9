"""What a SearchAccessPolicy requires of the limits of callers, as expressions in CEL."""

from collections.abc import Iterator

from searchaccess.api.policies.limits import RequiredLimits
from searchaccess.core.answers.admission import cel
from searchaccess.core.answers.admission.rule import Rule
from searchaccess.core.messages import some_of
from searchaccess.core.model.limits import BURST
from searchaccess.core.policy.guardrails.rules.callerlimits import burst_of


def limiting(require: RequiredLimits) -> Iterator[Rule]:
    """Yield the rules for what a policy requires of limits."""
    if (rate := require.requests_per_second) is not None:
        yield Rule(
            lambda root: f"{_has(root, 'requestsPerSecond')} && {root}.spec.limits.requestsPerSecond <= {rate}",
            f"limits.requestsPerSecond is required: write at most {rate}",
        )
    if (burst := burst_of(require)) is not None:
        yield Rule(
            lambda root: (
                f"{_has(root, 'requestsPerSecond')} && {root}.spec.limits.?burst"
                f".orValue({root}.spec.limits.requestsPerSecond * {BURST}) <= {burst}"
            ),
            f"limits.burst: write at most {burst}; without it, it is twice requestsPerSecond",
        )
    if (size := require.max_body) is not None:
        yield Rule(
            lambda root: (
                f"{_has(root, 'maxBody')} && isQuantity({root}.spec.limits.maxBody) && "
                f"!quantity({root}.spec.limits.maxBody).isGreaterThan(quantity('{size}'))"
            ),
            f"limits.maxBody is required: write at most {size}",
        )
    if (groups := require.apis) is not None:
        accepted = [str(group) for group in groups]
        yield Rule(
            lambda root: f"{_has(root, 'apis')} && {root}.spec.limits.apis.all(a, a in {cel.literals(accepted)})",
            f"limits.apis is required: write some of {some_of(accepted)}",
        )


def _has(root: str, field: str) -> str:
    return f"has({root}.spec.limits) && has({root}.spec.limits.{field})"
