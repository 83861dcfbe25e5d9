"""What all steps of the demo share: the servers, the operator, and waiting with a clear word when it is in vain."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from rich.table import Table

from tests.demo.checks import Checks, new_checks_table
from tests.demo.screen import INDENT, Screen
from tests.stack.elasticsearch import ElasticsearchServer
from tests.stack.kubernetes import KubernetesApi
from tests.stack.stack import Stack
from tests.support.operatorprocess import OperatorProcess
from tests.support.waiting import eventually
from tests.support.worlds.world import World, condition_in

T = TypeVar("T")

PATIENCE = 60.0


class DemoError(RuntimeError):
    """The demo cannot go on; the message says why."""


class Stage:
    """Where the demo takes place.

    Args:
        screen: where it is shown.
        stack: the servers.
        new_world: makes the world of them.
    """

    def __init__(
        self,
        screen: Screen,
        stack: Stack,
        new_world: Callable[[KubernetesApi, ElasticsearchServer, Path], World] = World,
    ) -> None:
        self.screen = screen
        self.stack = stack
        self.checks = Checks()
        self._operator: OperatorProcess | None = None
        self._new_world = new_world
        self.closing = ExitStack()
        """Ends what steps started."""
        self.called = ("$SEARCHACCESS_ES_URL", "$SEARCHACCESS_ES_CA")
        """Where callers call, and its authority, for a shell."""

    @cached_property
    def world(self) -> World:
        return self._new_world(self.stack.kubernetes, self.stack.elasticsearch, self.stack.kubernetes.log_folder)

    @property
    def operator(self) -> OperatorProcess:
        """The operator's process; it starts when first asked for."""
        if self._operator is None:
            self._operator = self.world.operator()
            self._operator.start()
        return self._operator

    @property
    def has_operator(self) -> bool:
        return self._operator is not None

    @property
    def log_folder(self) -> Path:
        """With the operator's log and those of Kubernetes; it stays after a failure."""
        return self.world.folder

    def kubectl(self, *arguments: str) -> str:
        return self.world.kubernetes.run_kubectl(*arguments).stdout

    def new_checks_table(self, *, head: bool = False) -> Table:
        return new_checks_table(self.screen.console.width - INDENT, head=head)

    def until(self, observe: Callable[[], T], trouble: Callable[[], str]) -> T:
        """Observe until the answer is true."""
        try:
            return eventually(observe, within=PATIENCE)
        except AssertionError:
            raise DemoError(f"{trouble()}{self._operator_is_gone()}") from None

    def until_settled(self, kind: str, name: str, namespace: str = "", *, reason: str = "InSync") -> dict[str, Any]:
        """Wait until Ready has a reason for the newest generation; return the object."""
        get = self.world.get_cluster if kind == "searchcluster" else lambda name: self.world.get(name, namespace)

        def observe() -> dict[str, Any]:
            found = get(name)
            ready = condition_in(found, "Ready")
            newest = found.get("metadata", {}).get("generation")
            return found if (ready.get("reason"), ready.get("observedGeneration")) == (reason, newest) else {}

        def trouble() -> str:
            ready = condition_in(get(name), "Ready")
            is_now = (
                f"Ready is {ready['status']}, {ready['reason']}: {ready['message']}" if ready else "it has no status"
            )
            return f"{kind} {name} is not {reason} after {PATIENCE:.0f} s; {is_now}"

        return self.until(observe, trouble)

    def close(self) -> None:
        if self._operator:
            self._operator.stop()
        self.closing.close()

    def _operator_is_gone(self) -> str:
        return "" if self.operator.running else " (the operator does not run)"
