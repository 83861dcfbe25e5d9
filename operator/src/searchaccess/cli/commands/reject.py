"""``searchaccess reject``."""

from typing import Final

from searchaccess.cli.helptexts import VERB_EXITS, block, epilog
from searchaccess.cli.requests.targets import verb_command

EPILOG: Final = epilog(
    VERB_EXITS,
    block("Examples", "searchaccess reject migration -n shop", "searchaccess reject shop/migration --dry-run"),
)


@verb_command("reject")
def command() -> None:
    """Delete the approvals of SearchAccesses: rights that need one end within seconds."""
