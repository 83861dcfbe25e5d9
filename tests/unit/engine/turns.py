"""How much is done before other tasks may run."""

import asyncio


class Turns:
    """Counts what is done in each turn of the event loop."""

    def __init__(self) -> None:
        self._done = 0
        self.most = 0
        """The most of one turn."""

    def count(self) -> None:
        """Record that one more thing was done."""
        self._done += 1
        self.most = max(self.most, self._done)

    async def watch(self) -> None:
        """Begin a new count whenever another task may run, until cancelled."""
        while True:
            self._done = 0
            await asyncio.sleep(0)
