"""Options of the commands that ask the operator for something."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import typer

from searchaccess.cli.options.common import answer
from searchaccess.cli.options.connecting import Kubernetes, takes_kubernetes
from searchaccess.cli.options.merging import taking
from searchaccess.cli.options.reading import span
from searchaccess.cli.printing import Format, Output

Names = Annotated[list[str] | None, typer.Argument(metavar="ACCESS", help="NAME or NAMESPACE/NAME. May be repeated.")]
Selector = Annotated[
    str,
    typer.Option(
        "--selector", "-l", metavar="LABELS", help="Only SearchAccesses with these labels, such as team=shop."
    ),
]
All = Annotated[bool, typer.Option("--all", help="All in the namespace, or everywhere with --all-namespaces.")]


@dataclass(frozen=True, slots=True)
class Targets:
    """Which SearchAccesses are meant; see ``targets_of``."""

    names: tuple[str, ...]
    selector: str = ""


def targets_of(names: list[str] | None, selector: str, everything: bool, kubernetes: Kubernetes) -> Targets:  # noqa: FBT001 - an option
    """Check which SearchAccesses are meant: by name, by labels, or all.

    Raises:
        typer.BadParameter: in no way, or in two.
    """
    if [bool(names), bool(selector), everything].count(True) != 1:
        raise typer.BadParameter("give names, or --selector, or --all", param_hint="ACCESS")
    for name in names or ():
        namespace, slash, rest = name.rpartition("/")
        if (slash and not (namespace and rest)) or "/" in namespace:
            raise typer.BadParameter("write NAME or NAMESPACE/NAME", param_hint="ACCESS")
        if slash and (kubernetes.namespace or kubernetes.all_namespaces):
            raise typer.BadParameter("excludes --namespace and --all-namespaces", param_hint="NAMESPACE/NAME")
    return Targets(tuple(names or ()), selector)


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """How a request is followed; its fields are what the command line shows."""

    no_wait: Annotated[bool, typer.Option("--no-wait", help="Ask, and do not wait for the outcome.")] = False
    timeout: Annotated[
        str, typer.Option(metavar="DURATION", help="Longest time to wait for the outcome, such as 90s.")
    ] = "2m"
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Have the API server check the request, and change nothing.")
    ] = False
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before it is done.")] = False
    output: Output = Format.TABLE

    @property
    def seconds(self) -> float:
        """The longest time to wait.

        Raises:
            typer.BadParameter: it is none.
        """
        return span(self.timeout, "--timeout")


def verb_command(verb: str) -> Callable[[Callable[[], None]], Callable[..., None]]:
    """Return a decorator that makes the command of a verb from a function that has only its help.

    Args:
        verb: as ``Verb`` has it.
    """

    def made(described: Callable[[], None]) -> Callable[..., None]:
        @takes_kubernetes
        @taking(Following, "following")
        def command(
            access: Names = None,
            *,
            selector: Selector = "",
            everything: All = False,
            following: Following,
            kubernetes: Kubernetes,
        ) -> None:
            request(verb, targets_of(access, selector, everything, kubernetes), following, kubernetes)

        command.__doc__ = described.__doc__
        return command

    return made


def request(verb: str, targets: Targets, following: Following, kubernetes: Kubernetes, **more: str) -> None:
    """Ask the operator for something, and follow the outcome.

    Args:
        verb: as ``Verb`` has it.
        targets: the SearchAccesses.
        following: how to follow it.
        kubernetes: the API server.
        more: further arguments of the verb.

    Raises:
        typer.BadParameter: an option has no valid value.
    """
    from searchaccess.cli.requests.verbs import run_verb
    from searchaccess.core.answers.verbs.outcomes import Verb

    following.seconds  # noqa: B018 - checked before anything is done
    answer(lambda: run_verb(Verb(verb), kubernetes, targets, following, **more))
