"""Random histories on a stage, by Hypothesis's state machines."""

from hypothesis.stateful import RuleBasedStateMachine

from tests.support.loop.clocks import virtual_runner
from tests.support.loop.stage import Stage


class StageMachine(RuleBasedStateMachine):
    """Rules that play on one stage, in virtual time."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = virtual_runner()
        self.stage = self.runner.run(self._begin())

    async def _begin(self) -> Stage:
        """Return the stage, started."""
        raise NotImplementedError

    def _rest(self, seconds: float) -> None:
        """Let time pass, and start the operator again if it crashed."""
        self.runner.run(self._rested(seconds))

    async def _rested(self, seconds: float) -> None:
        await self.stage.sleep(seconds)
        if self.stage.faults.dead:
            await self.stage.restart()

    def _alive(self, name: str) -> bool:
        """Say whether there is a SearchAccess that is not being deleted."""
        return bool(self.stage.get(name)) and not self.stage.get(name)["metadata"].get("deletionTimestamp")

    def teardown(self) -> None:
        self.runner.run(self.stage.stop())
        self.runner.close()
