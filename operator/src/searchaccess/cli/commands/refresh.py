"""``searchaccess refresh``."""

from typing import Final

from searchaccess.cli.helptexts import VERB_EXITS, block, epilog
from searchaccess.cli.requests.targets import verb_command

EPILOG: Final = epilog(
    VERB_EXITS,
    block("Examples", "searchaccess refresh orders-reader -n shop", "searchaccess refresh -A --all --no-wait"),
)


@verb_command("refresh")
def command() -> None:
    """Reconcile SearchAccesses now, and wait for the result.

    It sets the annotation searchaccess.dev/reconcile-requested-at. The operator also asks Google for the account of a
    Cloud Run workload again. It is never needed, but saves waiting.
    """
