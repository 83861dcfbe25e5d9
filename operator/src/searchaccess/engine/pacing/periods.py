"""Periods that the command line shows. By themselves, as its help needs nothing else of the engine."""

from typing import Final

RESYNC: Final = 300.0
"""Seconds between full lists."""
