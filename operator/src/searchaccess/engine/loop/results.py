"""Records in a cluster's state what a reconcile found."""

from searchaccess.engine.credentials.reconcile import CredentialResult
from searchaccess.engine.rights.run import RightsResult
from searchaccess.engine.state import ClusterState


def record_rights(state: ClusterState, result: RightsResult) -> None:
    """Record what is known about roles and role mappings."""
    mapping = result.mapping
    state.operations += result.operations
    state.trouble = result.trouble
    state.roles, state.user_roles, state.foreign = result.roles, result.user_roles, result.foreign
    state.mapping_conflict, state.mapping_drift, state.mapping_late = mapping.conflict, mapping.drift, mapping.late
    state.mapping_unwritten = mapping.unwritten
    state.mapping_adopted = mapping.adopted or state.mapping_adopted
    state.mapping_refusal, state.adopted, state.others = mapping.refusal, result.adopted, result.others


def record_credentials(state: ClusterState, result: CredentialResult) -> None:
    """Record what is known about keys and users."""
    state.operations += result.operations
    state.rejections |= result.rejected
    if result.others is not None:
        state.issued_by_others = result.others
