"""``searchaccess refresh``."""

from typing import Final

from searchaccess.cli.common import answer
from searchaccess.cli.connecting import Kubernetes, takes_kubernetes
from searchaccess.cli.helptexts import VERB_EXITS, block
from searchaccess.cli.merging import taking
from searchaccess.cli.targets import All, Following, Names, Selector, targets_of

EPILOG: Final = "\n\n".join(
    (
        VERB_EXITS,
        block("Examples", "searchaccess refresh orders-reader -n shop", "searchaccess refresh -A --all --no-wait"),
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
    """Reconcile SearchAccesses now, and wait for the result.

    It sets the annotation searchaccess.dev/reconcile-requested-at. The operator also asks Google for the account of a
    Cloud Run workload again. It is never needed, but saves waiting.
    """
    from searchaccess.cli.verbs import run_verb
    from searchaccess.core.answers.verbs.outcomes import Verb

    targets = targets_of(access, selector, everything, kubernetes)
    following.seconds  # noqa: B018 - checked before anything is done
    answer(lambda: run_verb(Verb.REFRESH, kubernetes, targets, following))
