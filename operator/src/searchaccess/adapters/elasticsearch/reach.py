"""Asks Elasticsearch what the operator's login may do itself."""

from elasticsearch import AsyncElasticsearch

from searchaccess.adapters.elasticsearch.readers import missing_in
from searchaccess.core.credentials.reach import lacking_remotely
from searchaccess.core.model.canonical import RoleBody, role_from_json
from searchaccess.core.model.intake.reading import mapping, within


async def lacking(api: AsyncElasticsearch, rights: RoleBody) -> tuple[str, ...]:
    """Return which of some rights the login lacks, such as ``read on orders-*``."""
    local = [entry for entry in rights.entries if not entry.clusters and not entry.application]
    applications = [entry.to_json() for entry in rights.entries if entry.application]
    remote = [entry for entry in rights.entries if entry.clusters]
    found: tuple[str, ...] = ()
    if local or rights.cluster or applications:
        answer = await api.security.has_privileges(
            cluster=list(rights.cluster),
            index=[{"names": list(entry.indices), "privileges": list(entry.privileges)} for entry in local],
            application=applications,
        )
        found = missing_in(answer.body)
    if remote:
        own = mapping((await api.security.get_user_privileges()).body)
        found += lacking_remotely(role_from_json(own if within(own) else {}).entries, remote)
    return found
