"""``searchaccess suspend``."""

from typing import Final

from searchaccess.cli.helptexts import VERB_EXITS, block, epilog
from searchaccess.cli.requests.targets import verb_command

EPILOG: Final = epilog(
    VERB_EXITS,
    block("Examples", "searchaccess suspend orders-reader -n shop", "searchaccess suspend -n shop --all --dry-run"),
)


@verb_command("suspend")
def command() -> None:
    """Suspend SearchAccesses: their rights stay as they are, and are not observed until they are resumed.

    It sets spec.suspend. If the manifests are in Git, change them there, or they are resumed with the next sync.
    """
