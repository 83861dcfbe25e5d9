"""``searchaccess adopt``."""

from typing import Final

from searchaccess.cli.common import answer
from searchaccess.cli.connecting import Kubernetes, takes_kubernetes
from searchaccess.cli.helptexts import VERB_EXITS, block
from searchaccess.cli.merging import taking
from searchaccess.cli.targets import All, Following, Names, Selector, targets_of

EPILOG: Final = "\n\n".join(
    (
        VERB_EXITS,
        block(
            "Examples", "searchaccess adopt orders-reader -n shop --dry-run", "searchaccess adopt orders-reader -n shop"
        ),
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
    """Agree that the operator replaces a foreign role that is in the way of a SearchAccess.

    The name of the role and the hash of its content come from the conflict in the status: if the content changes first,
    it is not adopted. It sets the annotation searchaccess.dev/adopt, which counts in namespaces that the SearchCluster
    names in spec.adoption.namespaces.
    """
    from searchaccess.cli.verbs import run_verb
    from searchaccess.core.answers.verbs.outcomes import Verb

    targets = targets_of(access, selector, everything, kubernetes)
    following.seconds  # noqa: B018 - checked before anything is done
    answer(lambda: run_verb(Verb.ADOPT, kubernetes, targets, following))
