"""Tricks with what may be done."""

from collections.abc import Iterator
from typing import Any

from tests.unit.builders import a_grant
from tests.unit.policy.escapes.cases import BEYOND, Escape


def _grant(name: str, says: str, *indices: str, **more: Any) -> Escape:
    return Escape(name, {"grants": [a_grant(*(indices or ("shop-orders",)), **more)]}, says)


def actions() -> Iterator[Escape]:
    """Yield tricks with what may be done."""
    none = "is not allowed on any index"
    yield _grant("an action that is not allowed", f"delete {none}", can=["read", "delete"])
    yield _grant("write where append is allowed", f"write {none}", can=["write"])
    yield _grant("manage, which includes delete", f"manage {none}", can=["manage"])
    raw = "privileges are not accepted: write actions in can"
    for privilege in ("all", "manage", "indices:*", "indices:data/*", "create_index", "read"):
        yield _grant(f"the raw privilege {privilege}", raw, can=[], privileges=[privilege])
    yield _grant("a raw privilege beside an action", raw, privileges=["maintenance"])
    yield _grant("the raw privilege *", "privilege", can=[], privileges=["*"])
    yield _grant("two raw privileges in one", "privilege", can=[], privileges=["read,all"])
    yield _grant("a raw privilege in upper case", "privilege", can=[], privileges=["ALL"])
    yield _grant("a privilege for other clusters' keys", "privileges", can=[], privileges=["cross_cluster_replication"])
    yield _grant("no action", "allows nothing", can=[])
    yield _grant("an action in upper case", "can", can=["READ"])
    yield _grant("an action with a space", "can", can=["read "])
    yield _grant("a remote cluster", "remoteClusters: eu is not accepted", remoteClusters=["eu"])
    yield _grant("every remote cluster", "remoteClusters: * is not accepted", remoteClusters=["*"])
    allowed = {"name": "orders", "namespace": "shop"}
    yield _grant("restricted indices by a field of roles", "there is no such field", allow_restricted_indices=True)
    yield _grant("a query by its name in roles", "there is no such field", query={"match_all": {}})
    yield _grant("fields by their name in roles", "there is no such field", field_security={"grant": ["*"]})
    yield _grant("an application's privileges", "there is no such field", application="kibana")
    yield Escape("run_as at the top", {"runAs": ["*"]}, "there is no such field")
    yield Escape("run_as in a grant", {"grants": [a_grant("shop-orders", run_as=["*"])]}, "there is no such field")
    yield Escape("a role of Elasticsearch", {"roles": ["superuser"]}, "there is no such field")
    yield Escape("metadata of the role", {"metadata": {"managed_by": "x"}}, "there is no such field")
    yield Escape("a policy's exception in the SearchAccess", {"exceptions": [allowed]}, "there is no such field")
    for privilege in (
        "all",
        "manage_security",
        "manage_api_key",
        "read_security",
        "grant_api_key",
        "cross_cluster_search",
    ):
        yield Escape(f"the cluster privilege {privilege}", {"clusterCan": [privilege]}, "clusterCan")
    yield Escape("a cluster privilege that may be declared", {"clusterCan": ["monitor"]}, "monitor is not accepted")
    yield Escape(
        "templates, which reach others' indices",
        {"clusterCan": ["manage_index_templates"]},
        "manage_index_templates is",
    )
    yield Escape("Kibana instead of grants", {"kibana": [{"spaces": ["*"], "base": "all"}]}, "kibana is not accepted")
    yield Escape(
        "Kibana alone",
        {"grants": [], "kibana": [{"spaces": ["default"], "base": "read"}]},
        "kibana is not accepted",
    )
    many = [a_grant(f"shop-{number}") for number in range(6)]
    yield Escape("many grants", {"grants": many}, "grants: 6 are more than 5")
    yield _grant("many names", "21 index names and patterns are more than 20", *(f"shop-{n}" for n in range(21)))
    accepted = a_grant("shop-orders")
    hidden = [accepted, accepted, accepted, a_grant("bank-orders")]
    yield Escape("a grant behind accepted ones", {"grants": hidden}, f"grants[3]: {BEYOND}bank-orders")
    yield Escape("51 grants, which nobody reads to the end", {"grants": [accepted] * 51}, "grants")
