"""The realm that a SearchCluster needs: what people write is what the operator compares."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from searchaccess.cli.main import app
from searchaccess.core.answers.realms import Place, differences, needs_of, text_of
from searchaccess.core.clusters.cluster import ClusterFacts, cluster_from_object
from searchaccess.core.clusters.realm import Mismatch, check_node
from tests.support.operatorprocess import ROOT
from tests.unit.builders import OPERATOR, a_search_cluster

GATEWAY: dict[str, Any] = {"audience": "https://es", "url": "https://gw", "namespace": "gateways"}
REALM = {"name": "google", "audience": "https://search.acme.example"}


def nested(lines: tuple[str, ...]) -> dict[str, Any]:
    """Return settings as ``GET _nodes/settings`` has them, from lines of elasticsearch.yml."""
    found: dict[str, Any] = {}
    for line in lines:
        key, value = next(iter(yaml.safe_load(line).items()))
        *path, last = key.split(".")
        place = found
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value if isinstance(value, list) else str(value).lower() if value is True else str(value)
    return found


@pytest.mark.parametrize("principal", ["email", "sub"])
@pytest.mark.parametrize("clients", ["None", "SharedSecret"])
def test_with_these_lines_the_operator_finds_nothing_wrong(principal: str, clients: str) -> None:
    realm = REALM | {"principal": principal, "clientAuthentication": clients}
    cluster = cluster_from_object(a_search_cluster(identity={"jwtRealm": realm}))
    needs = needs_of(cluster, OPERATOR)
    assert needs
    assert cluster.wanted_realm
    assert check_node("n", nested(needs.settings), cluster.wanted_realm) == []
    name = "xpack.security.authc.realms.jwt.google.client_authentication.shared_secret"
    assert needs.secret == (name if clients == "SharedSecret" else "")


def test_they_are_the_documented_ones() -> None:
    needs = needs_of(cluster_from_object(a_search_cluster(identity={"jwtRealm": REALM})), OPERATOR)
    assert needs
    assert "\n".join(needs.settings) in (ROOT / "docs" / "clusters.md").read_text()


def test_each_place_has_its_form() -> None:
    needs = needs_of(cluster_from_object(a_search_cluster(identity={"jwtRealm": REALM})), OPERATOR)
    assert needs
    settings = yaml.safe_load("\n".join(text_of(needs, Place.FILE)))
    assert len(settings) == len(needs.settings)
    [nodes] = yaml.safe_load("\n".join(text_of(needs, Place.ECK)))["spec"]["nodeSets"]
    assert nodes["config"] == settings == yaml.safe_load("\n".join(text_of(needs, Place.CLOUD)))


def test_what_is_wrong_in_a_live_cluster_is_said_line_by_line() -> None:
    cluster = cluster_from_object(a_search_cluster(identity={"jwtRealm": REALM}))
    needs, realm = needs_of(cluster, OPERATOR), cluster.wanted_realm
    assert needs
    assert realm
    good = ClusterFacts("9.1.0", "u", "platinum", ())
    assert differences(needs, realm, good, needs.body) == []
    [missing] = differences(needs, realm, good, None)
    assert missing.startswith("the role mapping searchaccess.default is missing: the operator writes it")
    assert differences(needs, realm, good, {"roles": ["x"]}) == ["the role mapping searchaccess.default is another"]
    wrong = Mismatch("n1", "x: 1", "absent"), Mismatch("n2", "y: 2", "3", certain=False)
    facts = ClusterFacts("9.1.0", "u", "platinum", wrong[:1], wrong[1:])
    assert differences(needs, realm, facts, needs.body) == [
        "node n1 needs x: 1 and has absent",
        "in doubt: node n2 should have y: 2 and has 3",
    ]
    [unread] = differences(needs, realm, ClusterFacts("9.1.0", "u", "platinum", None), needs.body)
    assert unread.startswith("not checked")


def test_from_files_no_server_is_needed(tmp_path: Path) -> None:
    file = tmp_path / "all.yaml"
    several = [a_search_cluster(), a_search_cluster("behind", identity={"gateway": GATEWAY})]
    file.write_text(yaml.safe_dump_all(several))
    done = CliRunner().invoke(app, ["realm", "-f", str(file), "--for", "eck"])
    assert done.exit_code == 0
    assert "        xpack.security.authc.realms.jwt.google.order: 1\n" in done.stdout
    assert "PUT _security/role_mapping/searchaccess.default\n{" in done.stdout
    assert "SearchCluster behind needs no realm: its callers are verified by a gateway" in done.stderr
    found = json.loads(CliRunner().invoke(app, ["realm", "-f", str(file), "-o", "json"]).stdout)["items"]
    assert [(one["cluster"], one["keystore"], one["roleMapping"]["name"]) for one in found] == [
        ("prod", None, "searchaccess.default")
    ]
    done = CliRunner().invoke(app, ["realm", "-f", str(file), "--cluster", "behind"])
    assert (done.exit_code, done.stdout) == (1, "")
    assert CliRunner().invoke(app, ["realm", "-f", str(file), "--for", "paper"]).exit_code == 64
