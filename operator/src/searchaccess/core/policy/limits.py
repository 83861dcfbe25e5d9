"""Whether declared limits of a caller can be enforced."""

from searchaccess.core.model.access import Access


def without_gateway(access: Access) -> str:
    """Return what is wrong with a SearchAccess whose SearchCluster has no gateway; empty: it declares no limits."""
    if not access.limits.are_declared:
        return ""
    return (
        f"limits need identity.gateway, which SearchCluster {access.cluster} does not have: nothing would limit the "
        "caller. Remove limits, or name a SearchCluster with a gateway. Nothing new is granted; existing rights stay"
    )
