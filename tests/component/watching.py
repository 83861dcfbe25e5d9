"""What the plays about namespaces that are not watched have in common."""

from typing import Any

from searchaccess.core.model.watched import EVERYWHERE, Watched
from searchaccess.ports.kubernetes import Plural
from tests.support.loop.stage import Stage
from tests.support.memory.kubernetes import Key

SEEN, UNSEEN = "shop", "billing"
"""A namespace that is watched, and one that is not."""


def key_in(namespace: str, name: str) -> Key:
    """Return where a SearchAccess is kept."""
    return Plural.ACCESSES, namespace, name


async def watch_only(stage: Stage, *namespaces: str) -> None:
    """Restart the operator, so that it watches some namespaces; none given: all."""
    await stage.stop()
    stage.kubernetes.watched = Watched(frozenset(namespaces)) if namespaces else EVERYWHERE
    stage.start()
    await stage.quiet()


def unseen(stage: Stage) -> list[str]:
    """Return whose rights are held as their namespaces are not watched."""
    assert stage.process is not None
    [reconciler] = stage.process.host.reconcilers().values()
    return reconciler.state.unseen.names


def warned(stage: Stage) -> list[dict[str, Any]]:
    """Return the operator's warnings of held rights since its last start."""
    event = "rights of namespaces that are not watched stay as they are"
    return [entry for entry in stage.logs[-1] if entry["event"] == event]
