"""``searchaccess reject``."""

from typing import Final

from searchaccess.cli.common import answer
from searchaccess.cli.connecting import Kubernetes, takes_kubernetes
from searchaccess.cli.helptexts import VERB_EXITS, block
from searchaccess.cli.merging import taking
from searchaccess.cli.targets import All, Following, Names, Selector, targets_of

EPILOG: Final = "\n\n".join(
    (
        VERB_EXITS,
        block("Examples", "searchaccess reject migration -n shop", "searchaccess reject shop/migration --dry-run"),
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
    """Delete the approvals of SearchAccesses: rights that need one end within seconds."""
    from searchaccess.cli.verbs import run_verb
    from searchaccess.core.answers.verbs.outcomes import Verb

    targets = targets_of(access, selector, everything, kubernetes)
    following.seconds  # noqa: B018 - checked before anything is done
    answer(lambda: run_verb(Verb.REJECT, kubernetes, targets, following))
