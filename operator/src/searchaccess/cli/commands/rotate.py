"""``searchaccess rotate``."""

from typing import Final

from searchaccess.cli.common import answer
from searchaccess.cli.connecting import Kubernetes, takes_kubernetes
from searchaccess.cli.helptexts import VERB_EXITS, block
from searchaccess.cli.merging import taking
from searchaccess.cli.targets import All, Following, Names, Selector, targets_of

EPILOG: Final = "\n\n".join(
    (
        VERB_EXITS,
        block("Examples", "searchaccess rotate orders-reader -n shop", "searchaccess rotate -A -l team=shop --yes"),
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
    """Replace the API key or password of SearchAccesses now.

    The previous one stays valid for the overlap that is declared, so that nothing breaks. It sets the annotation
    searchaccess.dev/rotate-requested-at, and waits until the new one is stored.
    """
    from searchaccess.cli.verbs import run_verb
    from searchaccess.core.answers.verbs.outcomes import Verb

    targets = targets_of(access, selector, everything, kubernetes)
    following.seconds  # noqa: B018 - checked before anything is done
    answer(lambda: run_verb(Verb.ROTATE, kubernetes, targets, following))
