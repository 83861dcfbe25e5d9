"""The demo's first steps: servers, an installed operator, data."""

import json

from rich.text import Text

from tests.demo import data, manifests
from tests.demo.calls import SEARCH, orders
from tests.demo.screen import new_table
from tests.demo.stage import Stage
from tests.support.operatorprocess import ROOT
from tests.support.worlds.world import OPERATOR_USER, SYSTEM


def start_servers(stage: Stage) -> None:
    with stage.screen.step("Start Kubernetes and Elasticsearch") as page:
        stage.stack.start()
        kubernetes, elasticsearch = stage.stack.kubernetes, stage.stack.elasticsearch
        version = json.loads(stage.kubectl("version", "-o", "json"))["serverVersion"]["gitVersion"]
        number = stage.world.admin.get("/").json()["version"]["number"]
        license_type = stage.world.admin.get("/_license").json()["license"]["type"]
        table = new_table()
        table.add_row("Kubernetes", version.lstrip("v"), kubernetes.url, "with RBAC")
        # On a Basic license Elasticsearch switches its realm off.
        realm = "" if license_type == "basic" else f", JWT realm {elasticsearch.realm}"
        table.add_row("Elasticsearch", number, elasticsearch.url, f"{license_type} license{realm}")
        page.show(table)


def install(stage: Stage) -> None:
    with stage.screen.step("Install the CRDs, the operator's rights and its login") as page:
        stage.world.install()
        role = manifests.login_role()
        stage.world.admin.put(f"/_security/role/{OPERATOR_USER}", json=role).raise_for_status()
        kinds = stage.kubectl("api-resources", "--api-group=searchaccess.dev", "-o", "name").split()
        table = new_table()
        table.add_row("crds/", ", ".join(kinds))
        table.add_row("deploy/", f"ServiceAccount {SYSTEM}/searchaccess-operator and RBAC")
        table.add_row("Elasticsearch", f"user {OPERATOR_USER}, with the role that `searchaccess login` prints")
        page.show(table)


def fill(stage: Stage) -> None:
    with stage.screen.step("Put orders and logs into Elasticsearch") as page:
        counts = data.fill(stage.world.admin)
        page.say(", ".join(f"{index} ({number})" for index, number in counts.items()))
        page.gap()
        page.say(f"One of the orders: {json.dumps(data.ORDERS['orders-2026-10'][0])}")
        page.gap()
        checks = stage.new_checks_table()
        with stage.world.caller("shop-web") as caller:
            request, got = f"shop-web: GET {SEARCH}", orders(caller.get(SEARCH))
            stage.checks.add_row(checks, request, "403 refused", got, "undeclared")
        page.show(checks)


def start_operator(stage: Stage) -> None:
    file = manifests.cluster_file()
    with stage.screen.step("Start the operator, and declare the cluster") as page:
        page.say(f"It runs as a separate process with the rights of its ServiceAccount (pid {stage.operator.pid}).")
        page.say(f"{file.relative_to(ROOT)}, with the servers' address, CA and login in place of the example's:")
        page.gap()
        stage.world.apply(*manifests.with_running_servers(file, stage.stack.elasticsearch))
        name = manifests.cluster_name()
        cluster = stage.until_settled("searchcluster", name)
        table = new_table()
        for condition in cluster["status"]["conditions"]:
            table.add_row(*(Text(condition[key]) for key in ("type", "status", "reason", "message")))
        page.show(table)
