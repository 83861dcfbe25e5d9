"""A version of a secret is written into templates as people write them."""

import pytest
from google.cloud.run_v2 import Job, Service

from searchaccess.adapters.googlecloud.convert import name_version, template_of
from searchaccess.core.model.identities.workload import SecretUse, WorkloadKind
from tests.support.servers.googlestate import PROJECT, a_workload

NAMES = (f"projects/{PROJECT}/secrets/orders", "projects/123456789012/secrets/orders")
SERVICE = a_workload()


def variable(secret: str, version: str = "") -> dict[str, object]:
    return {"name": "X", "value_source": {"secret_key_ref": {"secret": secret, "version": version}}}


def test_variables_of_all_containers() -> None:
    containers = [
        {"env": [variable("orders", "1"), {"name": "Y", "value": "z"}]},
        {"env": [variable(NAMES[1], "live")]},
    ]
    raw = Service(template={"revision": "orders-v1", "containers": containers})
    assert name_version(SERVICE, raw, NAMES, 7)
    assert template_of(raw.template).uses == (SecretUse("orders", "7"), SecretUse(NAMES[1], "7"))
    assert raw.template.revision == "", "the next one needs another name"
    assert raw.template.containers[0].env[1].value == "z"
    assert not name_version(SERVICE, raw, NAMES, 7)


@pytest.mark.parametrize("items", [[], [{"path": "key", "version": "latest"}]], ids=["one file", "named files"])
def test_files(items: list[dict[str, str]]) -> None:
    raw = Service(template={"volumes": [{"name": "v", "secret": {"secret": "orders", "items": items}}]})
    assert name_version(SERVICE, raw, NAMES, 7)
    [item] = raw.template.volumes[0].secret.items
    assert (item.path, item.version) == (items[0]["path"] if items else "orders", "7")
    assert not name_version(SERVICE, raw, NAMES, 7)


def test_what_names_another_secret_stays() -> None:
    volumes = [{"name": "v", "secret": {"secret": "another"}}, {"name": "e", "empty_dir": {}}]
    raw = Service(
        template={"revision": "orders-v1", "containers": [{"env": [variable("another")]}], "volumes": volumes}
    )
    before = Service.to_json(raw)
    assert not name_version(SERVICE, raw, NAMES, 7)
    assert Service.to_json(raw) == before


def test_a_jobs_template_is_one_deeper() -> None:
    raw = Job(template={"template": {"containers": [{"env": [variable("orders", "1")]}]}})
    assert name_version(a_workload(kind=WorkloadKind.JOB), raw, NAMES, 7)
    assert template_of(raw.template.template).uses == (SecretUse("orders", "7"),)
