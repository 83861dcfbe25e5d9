"""Labels of a SearchAccess that mean something."""

from searchaccess.api.constants import AI_AGENT, LABEL_WORKLOAD
from searchaccess.core.model.access import Access


def is_agent(access: Access) -> bool:
    """Return whether a SearchAccess is labeled as one of an AI agent."""
    return (LABEL_WORKLOAD, AI_AGENT) in access.labels


def may_limit(access: Access) -> bool:
    """Return whether a SearchAccess may limit its caller more than its SearchCluster does by default."""
    return access.limits.are_declared or is_agent(access)
