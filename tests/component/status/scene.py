"""SearchAccesses and SearchClusters in many states, to be kept as what a version of the operator wrote.

``python -m tests.component.status.scene`` keeps them for the version that it runs, as a file that the versions after it
are tested with (``test_other_versions.py``). Do so when a version is released.
"""

import json
from pathlib import Path
from typing import Any, Final

from searchaccess import __version__
from searchaccess.ports.errors import PermissionDenied
from tests.component.common import FOREIGN, MAPPING
from tests.component.credentials.common import STORES, with_key, with_password
from tests.component.identities.common import declared
from tests.support.loop.clocks import run_virtually
from tests.support.loop.snapshot import take
from tests.support.loop.stage import OPERATOR, Stage, access_key, search_cluster
from tests.support.memory.elasticsearch import SIDE as ELASTICSEARCH
from tests.support.servers.googlestate import GoogleState, a_workload
from tests.support.worlds.world import access, account, grant

FOLDER: Final = Path(__file__).parents[2] / "fixtures" / "statuses"
MOVED, CHANGED, MISSING = (a_workload(name) for name in ("moved", "changed", "missing"))


def role_of(name: str) -> str:
    return OPERATOR.role_name(account(name))


def deploy_first(google: GoogleState) -> None:
    google.deploy(MOVED, account("moved-old"))
    google.deploy(CHANGED, account("changed-old"))
    google.deploy(MISSING, account("missing"))


def deploy_second(google: GoogleState) -> None:
    google.deploy(MOVED, account("moved-new"), traffic=False)
    google.deploy(CHANGED, account("changed-new"))
    google.delete(MISSING)


def refuse_deletions(stage: Stage) -> None:
    stage.faults.fail(ELASTICSEARCH, PermissionDenied("Elasticsearch answered 403"), "delete_roles")


async def play(stage: Stage) -> None:
    """Bring everything into its state."""
    stage.server("https://two:9200").wipe("uuid-of-two")
    deploy_first(stage.google.state)
    stage.apply(
        search_cluster(secretStores=STORES),
        search_cluster("observed", "https://two:9200"),
        search_cluster("failing", "https://three:9200", login={"secretRef": {"namespace": "shop", "name": "missing"}}),
        *(access(name, grant(f"{name}-*")) for name in ("synced", "corrected", "drifted", "suspended")),
        access("pending", grant("pending-*"), mode="Observe"),
        access("invalid", grant("Upper")),
        access("conflict", grant("conflict-*")),
        access("unreached", grant("unreached-*"), cluster="failing"),
        access("elsewhere", grant("elsewhere-*"), cluster="observed"),
        access("doomed", grant("doomed-*"), cluster="observed"),
        access("nowhere", grant("nowhere-*"), cluster="unknown"),
        with_key("key"),
        with_password("password"),
        *(declared(workload.name, workload) for workload in (MOVED, CHANGED, MISSING)),
    )
    stage.elasticsearch.write_role(role_of("conflict"), FOREIGN)
    await stage.quiet()
    for name in ("drifted", "elsewhere"):
        stage.amend(name, mode="Observe")
    stage.amend("suspended", suspend=True)
    stage.annotate(access_key("key"), "searchaccess.dev/rotate-requested-at", "now")
    stage.annotate(access_key("synced"), "searchaccess.dev/reconcile-requested-at", "now")
    deploy_second(stage.google.state)
    await stage.quiet()
    for name in ("corrected", "drifted"):
        raw = stage.elasticsearch.roles_now[role_of(name)]
        stage.elasticsearch.write_role(role_of(name), raw | {"cluster": ["all"]})
    stage.elasticsearch.remove_mapping(MAPPING)
    two = stage.server("https://two:9200")
    two.write_mapping(MAPPING, two.mappings_now[MAPPING] | {"enabled": False})
    await stage.sleep(400)
    await stage.quiet()
    refuse_deletions(stage)
    stage.delete("doomed")
    await stage.quiet()


async def keep() -> dict[str, Any]:
    stage = Stage()
    stage.start()
    await play(stage)
    await stage.stop()
    return take(stage)


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    text = json.dumps(run_virtually(keep()), indent=1, sort_keys=True)
    (FOLDER / f"{__version__}.json").write_text(text + "\n", encoding="utf-8")
