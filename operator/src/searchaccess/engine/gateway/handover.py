"""Hands a gateway over from a SearchCluster that is being deleted to the one that takes over its Elasticsearch.

Nothing that pods or callers see changes: only marks that say to whom the objects belong. Until the former SearchCluster
is gone, both may have them; the new one writes nothing before (docs/adr/0074).
"""

from collections.abc import Mapping
from typing import Any

from searchaccess.core.gateway.login import LoginNames, handed_over, is_inherited, is_own, owner_metadata
from searchaccess.core.gateway.objects import HEIR, Holder, Observed, Place, owner_annotations
from searchaccess.core.model.canonical import role_from_json
from searchaccess.core.model.intake.reading import mapping
from searchaccess.core.rights.ownership import Role
from searchaccess.engine.gateway.job import Job, holder_of
from searchaccess.engine.state import Context, Session
from searchaccess.ports.errors import NamespaceEnds
from searchaccess.ports.gateway import Gateways


async def hand_over_gateway(context: Context, gateways: Gateways, session: Session, place: Place, heir: str) -> None:
    """Mark the objects of a gateway for the SearchCluster that takes them over.

    Args:
        context: what all reconcilers share.
        gateways: what is needed to run gateways.
        session: the connected cluster, of the SearchCluster that is being deleted.
        place: where the gateway is.
        heir: name of the other SearchCluster.

    Raises:
        ExternalError: something could not be marked. It is done again as a whole.
    """
    holder, port, state = holder_of(context, session), session.port, session.state
    for target in (place.login, place.config):
        try:
            observed = await gateways.objects.read(target)
            if observed is not None and observed.belongs_to(holder) and observed.annotations.get(HEIR) != heir:
                await gateways.objects.mark(target, observed, {HEIR: heir})
        except NamespaceEnds:
            continue
    names, next_holder = LoginNames(context.operator.instance, place.name), Holder(holder.instance, heir, "")
    for name, raw in (await port.users_named(names.users)).items():
        metadata = mapping(raw.get("metadata"))
        if not is_own(metadata, context.operator, holder):
            continue
        if raw.get("enabled") is not True:
            # Its password may be known to others. The heir makes another login.
            with state.writing("gateway", [name]):
                await port.delete_users([name])
            state.operations += 1
        elif not is_own(metadata, context.operator, next_holder):
            # Without a password it keeps its own.
            with state.writing("gateway", [name]):
                await port.put_gateway_user(name, names.role, handed_over(metadata, heir), None)
            state.operations += 1
    role = (await port.roles([names.role])).get(names.role)
    metadata = mapping(mapping(role).get("metadata"))
    if role and is_own(metadata, context.operator, holder) and not is_own(metadata, context.operator, next_holder):
        with state.writing("gateway", [names.role]):
            written = await port.replace_roles([Role(names.role, role_from_json(role), handed_over(metadata, heir))])
        for error in written.refused.values():
            raise error
        state.operations += 1


async def take_over(job: Job, secret: Observed | None, users: Mapping[str, dict[str, Any]]) -> bool:
    """Let a gateway's Secret and users say that they belong to this SearchCluster; return whether one did not.

    Args:
        job: the gateway.
        secret: as read, and ours.
        users: by name, as read, and ours.

    Raises:
        ExternalError: something could not be marked.
    """
    changed = False
    if secret is not None and secret.is_inherited(job.holder):
        await job.gateways.objects.mark(job.place.login, secret, owner_annotations(job.holder))
        changed = True
    for name, raw in users.items():
        metadata = mapping(raw.get("metadata"))
        # One that was disabled is replaced: to write it would let it work again.
        if is_inherited(metadata, job.holder) and raw.get("enabled") is True:
            own = owner_metadata(job.context.operator, job.holder, job.gateway.name)
            with job.session.state.writing("gateway", [name]):
                await job.session.port.put_gateway_user(name, job.login_names.role, {**metadata, **own}, None)
            job.operations += 1
            changed = True
    return changed
