"""``searchaccess resume``."""

from typing import Final

from searchaccess.cli.helptexts import VERB_EXITS, block, epilog
from searchaccess.cli.requests.targets import verb_command

EPILOG: Final = epilog(
    VERB_EXITS,
    block("Examples", "searchaccess resume orders-reader -n shop", "searchaccess resume -n shop --all --yes"),
)


@verb_command("resume")
def command() -> None:
    """Resume suspended SearchAccesses, and wait until Elasticsearch has what they declare."""
