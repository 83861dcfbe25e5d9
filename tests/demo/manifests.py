"""The examples as they are; only the SearchCluster and its login point at the servers that run."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from searchaccess.core.answers.logins import full_role
from searchaccess.core.model.parsing import access_from_object
from tests.stack.elasticsearch import ElasticsearchServer
from tests.support.operatorprocess import ROOT
from tests.support.worlds.world import OPERATOR_PASSWORD, OPERATOR_USER

_FOLDER = ROOT / "examples"


def objects_of(file: Path) -> Iterator[dict[str, Any]]:
    yield from (item for item in yaml.safe_load_all(file.read_text()) if item)


def cluster_file() -> Path:
    """The example that declares the SearchCluster."""
    [found] = [file for file in _example_files() if "SearchCluster" in _kinds_in(file)]
    return found


def cluster_name() -> str:
    """The name of that SearchCluster."""
    [name] = [item["metadata"]["name"] for item in objects_of(cluster_file()) if item["kind"] == "SearchCluster"]
    return str(name)


def access_files() -> list[Path]:
    """The examples of SearchAccesses by identity tokens and without times, which are applied as they are."""
    return [
        file
        for file in _example_files()
        if "SearchAccess" in _kinds_in(file) and not _has_keys(file) and not _depends_on_time(file)
    ]


def login_role() -> dict[str, Any]:
    """The role of the operator's login, as ``searchaccess login --tier Full -f`` prints it for these SearchAccesses."""
    objects = (item for file in access_files() for item in objects_of(file))
    return full_role(access_from_object(item) for item in objects if item["kind"] == "SearchAccess")


def _depends_on_time(file: Path) -> bool:
    return any({"validFrom", "validUntil", "schedule"} & item.get("spec", {}).keys() for item in objects_of(file))


def _has_keys(file: Path) -> bool:
    return any(item["spec"].get("auth") == "ApiKey" for item in objects_of(file) if "spec" in item)


def with_running_servers(file: Path, server: ElasticsearchServer) -> list[dict[str, Any]]:
    """Return the SearchCluster with its Secret: what the example says is to be replaced is replaced."""
    return [_replaced(item, server) for item in objects_of(file)]


def _replaced(item: dict[str, Any], server: ElasticsearchServer) -> dict[str, Any]:
    if item["kind"] == "Secret":
        return {**item, "stringData": {"username": OPERATOR_USER, "password": OPERATOR_PASSWORD}}
    if item["kind"] == "SearchCluster":
        realm = {**item["spec"]["identity"]["jwtRealm"], "name": server.realm, "audience": server.audience}
        return {
            **item,
            "spec": {
                **item["spec"],
                "urls": [server.url],
                "ca": {"inline": server.ca_file.read_text()},
                "identity": {"jwtRealm": realm},
            },
        }
    return item


def names_in(file: Path) -> set[str]:
    return {item["metadata"]["name"] for item in objects_of(file)}


def _example_files() -> list[Path]:
    return sorted(_FOLDER.glob("*.yaml"))


def _kinds_in(file: Path) -> set[str]:
    return {item["kind"] for item in objects_of(file)}
