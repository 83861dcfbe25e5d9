"""``searchaccess rotate``."""

from typing import Final

from searchaccess.cli.helptexts import VERB_EXITS, block, epilog
from searchaccess.cli.requests.targets import verb_command

EPILOG: Final = epilog(
    VERB_EXITS,
    block("Examples", "searchaccess rotate orders-reader -n shop", "searchaccess rotate -A -l team=shop --yes"),
)


@verb_command("rotate")
def command() -> None:
    """Replace the API key or password of SearchAccesses now.

    The previous one stays valid for the overlap that is declared, so that nothing breaks. It sets the annotation
    searchaccess.dev/rotate-requested-at, and waits until the new one is stored.
    """
