"""A world between two versions of the operator: all that a stage has, as JSON, for another version to go on with."""

from typing import Any, Final

from searchaccess.core.credentials.credential import Secret, State, Version
from searchaccess.ports.stores import Place
from tests.support.copies import copied
from tests.support.loop.stage import Stage
from tests.support.memory.store import MemoryStore, _Kept

_OF_A_SERVER: Final = (
    "uuid",
    "index_uuid",
    "sequence",
    "roles_now",
    "mappings_now",
    "keys_now",
    "users_now",
    "made_users",
)


def take(stage: Stage) -> dict[str, Any]:
    """Return what there is, Google aside; the operator is not to run meanwhile."""
    assert stage.process is None
    return {
        "at": stage.clock.monotonic(),
        "objects": list(stage.kubernetes.objects.values()),
        "servers": {
            url: {name: getattr(server, name) for name in _OF_A_SERVER} for url, server in stage.servers.items()
        },
        "secrets": [
            {
                "store": name,
                "namespace": place.namespace,
                "name": place.name,
                "identity": kept.secret.identity,
                "owner": kept.secret.owner,
                "versions": {str(version.number): version.state.value for version in kept.secret.versions},
                "values": {str(number): value for number, value in kept.values.items()},
            }
            for name, store in stage.stores.by_name.items()
            for place, kept in store.kept.items()
        ],
    }


async def restore(stage: Stage, taken: dict[str, Any]) -> None:
    """Make a new stage as another was, at the same time of day; the operator is not to run yet."""
    assert stage.process is None
    known = copied(taken)
    await stage.sleep(known["at"] - stage.clock.monotonic())
    stage.kubernetes.go_on_after(known["objects"])
    for url, kept in known["servers"].items():
        server = stage.server(url)
        for name, value in kept.items():
            setattr(server, name, value)
    for item in known["secrets"]:
        versions = tuple(Version(int(number), State(state)) for number, state in item["versions"].items())
        values = {int(number): value for number, value in item["values"].items()}
        store = stage.stores.by_name.setdefault(item["store"], MemoryStore(stage.faults, versions=False))
        secret = Secret(item["identity"], item["owner"], versions)
        store.kept[Place(item["namespace"], item["name"])] = _Kept(secret, values)
