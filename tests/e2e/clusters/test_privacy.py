"""What the operator connects to, what it refuses to send its login to, and whose SearchAccesses it takes."""

import pytest

from tests.e2e.conftest import QUICK
from tests.support.worlds.world import World, access, condition_in, grant

WITHIN = 60.0


def test_a_public_address_is_refused_and_told(elsewhere: World) -> None:
    world = elsewhere
    public = world.cluster("public", urls=["https://34.76.1.1:9200"], drift=QUICK)
    world.apply(public, access("public", grant("orders-*"), cluster="public"))
    seen = world.until_cluster_reason("public", "NotPrivate", status="False", within=WITHIN)
    message = condition_in(seen, "Private")["message"]
    assert message.startswith("34.76.1.1 is a public address; the login is not sent.")
    assert condition_in(seen, "Stalled")["reason"] == "NotPrivate"
    world.until_reason("public", "NotPrivate", status="False", within=WITHIN)

    world.apply(world.cluster("public", drift=QUICK))
    world.until_ready("public", within=WITHIN)
    seen = world.until_cluster_reason("public", "InSync", status="True", within=WITHIN)
    assert condition_in(seen, "Private") | {"status": "True", "reason": "Private"} == condition_in(seen, "Private")


def test_a_certificate_need_not_be_verified_where_that_is_said_and_then_it_shows(elsewhere: World) -> None:
    world = elsewhere
    bold = world.cluster("bold", allowExposure=["InsecureSkipVerify"], drift=QUICK)
    del bold["spec"]["ca"]
    world.apply(bold, access("bold", grant("orders-*"), cluster="bold"))
    world.until_ready("bold", within=WITHIN)
    seen = world.until_cluster_reason("bold", "InSync", status="True", within=WITHIN)
    private = condition_in(seen, "Private")
    assert (private["status"], private["reason"]) == ("False", "ExposureAllowed")
    assert private["message"] == "certificates are not verified"

    cautious = world.cluster("bold", drift=QUICK)
    del cautious["spec"]["ca"]
    world.apply(cautious)
    world.until_cluster_reason("bold", "TlsNotVerified", status="False", within=WITHIN)
    world.apply(world.cluster("bold", drift=QUICK))
    world.until_ready("bold", within=WITHIN)


@pytest.mark.one_release
def test_a_namespace_is_taken_by_its_labels_and_left_when_they_change(elsewhere: World) -> None:
    world = elsewhere
    kubectl = world.kubernetes.run_kubectl
    kubectl("label", "namespace", "billing", "search=yes", "--overwrite")
    selective = {"selector": {"matchLabels": {"search": "yes"}}}
    world.apply(
        world.cluster("some", allowedNamespaces=selective, drift=QUICK),
        access("taken", grant("orders-*"), cluster="some", namespace="billing"),
        access("left", grant("orders-*"), cluster="some"),
    )
    world.until_ready("taken", namespace="billing", within=WITHIN)
    world.until_reason("left", "NamespaceNotAllowed", status="False", within=WITHIN)
    assert world.role("taken")
    assert not world.role("left")

    kubectl("label", "namespace", "billing", "search-")
    world.until_reason("taken", "NamespaceNotAllowed", status="False", namespace="billing", within=WITHIN)
    assert not world.role("taken")
