"""``searchaccess adopt``."""

from typing import Final

from searchaccess.cli.helptexts import VERB_EXITS, block, epilog
from searchaccess.cli.requests.targets import verb_command

EPILOG: Final = epilog(
    VERB_EXITS,
    block("Examples", "searchaccess adopt orders-reader -n shop --dry-run", "searchaccess adopt orders-reader -n shop"),
)


@verb_command("adopt")
def command() -> None:
    """Agree that the operator replaces a foreign role that is in the way of a SearchAccess.

    The name of the role and the hash of its content come from the conflict in the status: if the content changes first,
    it is not adopted. It sets the annotation searchaccess.dev/adopt, which counts in namespaces that the SearchCluster
    names in spec.adoption.namespaces.
    """
