"""Somebody who may only read, in Kubernetes and in Elasticsearch."""

from pathlib import Path

import yaml

from tests.support.operatorprocess import ROOT
from tests.support.worlds.arena import Arena
from tests.support.worlds.world import SYSTEM

READER = "searchaccess-reader"
READER_PASSWORD = "may-only-look"
# All that the login of such a run needs.
READER_ROLE = {
    "cluster": ["read_security", "monitor"],
    "indices": [{"names": [".security*"], "privileges": ["monitor"], "allow_restricted_indices": True}],
}


def observer_in(field: Arena) -> Path:
    """Create a ServiceAccount that may only read, and no Secret, and a login to Elasticsearch that may only read.

    Args:
        field: where to create them; its folder ``login`` gets the user's name and password.

    Returns:
        The kubeconfig of the ServiceAccount.
    """
    world = field.world
    world.kubernetes.run_kubectl("apply", "-f", str(ROOT / "deploy" / "observer.yaml"))
    world.make_login(READER, READER, READER_PASSWORD, READER_ROLE)
    login = field.folder / "login"
    login.mkdir(exist_ok=True)
    (login / "username").write_text(READER)
    (login / "password").write_text(READER_PASSWORD)
    field.tokens.add(READER_PASSWORD)
    path = world.kubernetes.service_account_kubeconfig(SYSTEM, "searchaccess-observer")
    field.tokens.add(yaml.safe_load(path.read_text())["users"][0]["user"]["token"])
    return field.api.kubeconfig(path, field.folder)
