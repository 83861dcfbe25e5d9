"""Deletes what a gateway had that is no longer declared."""

from collections.abc import Collection

from searchaccess.core.gateway.login import LoginNames, is_own
from searchaccess.core.gateway.objects import Place
from searchaccess.engine.gateway.job import holder_of
from searchaccess.engine.state import Context, Session
from searchaccess.ports.errors import NamespaceEnds
from searchaccess.ports.gateway import Gateways


async def remove_gateway(
    context: Context, gateways: Gateways, session: Session, place: Place, kept: Collection[Place]
) -> None:
    """Delete a gateway's users, role, Secret and ConfigMap, as far as they are ours.

    Args:
        context: what all reconcilers share.
        gateways: what is needed to run gateways.
        session: the connected cluster.
        place: where the gateway was.
        kept: other gateways of the SearchCluster that stay: one of the same name has the same users.

    Raises:
        ExternalError: something could not be deleted. Nothing else continues.
    """
    holder, state = holder_of(context, session), session.state
    if all(one.name != place.name for one in kept):
        names, port = LoginNames(context.operator.instance, place.name), session.port
        users = await port.users_named(names.users)
        mine = [name for name, raw in users.items() if is_own(raw.get("metadata"), context.operator, holder)]
        if mine:
            with state.writing("gateway", mine):
                await port.delete_users(mine)
            state.operations += len(mine)
        role = (await port.roles([names.role])).get(names.role)
        if role is not None and is_own(role.get("metadata"), context.operator, holder):
            with state.writing("gateway", [names.role]):
                written = await port.delete_roles([names.role])
            for error in written.refused.values():
                raise error
            state.operations += 1
    for target in (place.login, place.config):
        try:
            observed = await gateways.objects.read(target)
            if observed is not None and observed.belongs_to(holder):
                await gateways.objects.delete(target, observed)
        except NamespaceEnds:
            continue


def places_of(recorded: Collection[str]) -> list[Place]:
    """Return gateways by their ``namespace/name``; what is none is left out."""
    parts = (text.partition("/") for text in recorded)
    return [Place(namespace, name) for namespace, slash, name in parts if namespace and slash and name]
