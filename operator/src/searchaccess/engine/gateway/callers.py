"""Which limits single callers of a gateway have."""

from collections.abc import Mapping

from searchaccess.core.gateway.settings import CallerLimits
from searchaccess.engine.state import Context


def callers_of(context: Context, cluster: str) -> Mapping[str, CallerLimits]:  # noqa: ARG001 - none are declared yet
    """Return the limits of callers whose SearchAccesses declare their own, by e-mail address."""
    return {}
