"""``searchaccess suspend``."""

from typing import Final

from searchaccess.cli.common import answer
from searchaccess.cli.connecting import Kubernetes, takes_kubernetes
from searchaccess.cli.helptexts import VERB_EXITS, block
from searchaccess.cli.merging import taking
from searchaccess.cli.targets import All, Following, Names, Selector, targets_of

EPILOG: Final = "\n\n".join(
    (
        VERB_EXITS,
        block("Examples", "searchaccess suspend orders-reader -n shop", "searchaccess suspend -n shop --all --dry-run"),
    )
)


@takes_kubernetes
@taking(Following, "following")
def command(
    access: Names = None,
    *,
    selector: Selector = "",
    everything: All = False,
    following: Following,
    kubernetes: Kubernetes,
) -> None:
    """Suspend SearchAccesses: their rights stay as they are, and are not observed until they are resumed.

    It sets spec.suspend. If the manifests are in Git, change them there, or they are resumed with the next sync.
    """
    from searchaccess.cli.verbs import run_verb
    from searchaccess.core.answers.verbs.outcomes import Verb

    targets = targets_of(access, selector, everything, kubernetes)
    following.seconds  # noqa: B018 - checked before anything is done
    answer(lambda: run_verb(Verb.SUSPEND, kubernetes, targets, following))
