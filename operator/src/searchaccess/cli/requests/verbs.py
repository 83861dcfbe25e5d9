"""Asks the operator for something, and shows what became of it."""

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import typer

from searchaccess.cli.manifests import failure
from searchaccess.cli.options.connecting import Kubernetes
from searchaccess.cli.printing import blocks, emit, fits, plain, progress, table, warn
from searchaccess.cli.requests.targets import Following, Targets
from searchaccess.core.answers.exits import Exit
from searchaccess.core.answers.statuses.report import report_of
from searchaccess.core.answers.statuses.tree import tree_of
from searchaccess.core.answers.verbs.approvals import approval_body, groups_that_count
from searchaccess.core.answers.verbs.outcomes import (
    Asked,
    Outcome,
    State,
    Verb,
    adoptable,
    change_for,
    obstacle,
)
from searchaccess.core.model.intake.metadata import metadata_of
from searchaccess.core.model.parsing import access_from_object
from searchaccess.operator.answers.changing import Changes
from searchaccess.operator.answers.reading import Live
from searchaccess.ports.errors import ExternalError, Rejected
from searchaccess.ports.kubernetes import Plural

_ASKS_ALWAYS: Final = frozenset({Verb.ADOPT, Verb.APPROVE, Verb.REJECT})
"""They replace foreign content, or give or take rights."""
_ASKS_FOR_MANY: Final = frozenset({Verb.ROTATE, Verb.SUSPEND, Verb.RESUME})
_WORDS: Final = {
    Verb.ROTATE: "replace the credential of",
    Verb.SUSPEND: "suspend",
    Verb.RESUME: "resume",
    Verb.ADOPT: "replace the content of foreign objects for",
    Verb.APPROVE: "approve",
    Verb.REJECT: "delete the approvals, and so end the rights, of",
}
_READABLE: Final = 24
"""Columns of a terminal that a message needs at least."""


class _Line:
    """One SearchAccess, and what became of the request about it."""

    def __init__(self, raw: dict[str, Any]) -> None:
        meta = metadata_of(raw)
        self.raw, self.uid, self.name = raw, meta.uid, f"{meta.namespace}/{meta.name}"
        self.asked: Asked | None = None
        self.outcome = Outcome(State.PENDING, "asked")

    def refuse(self, text: str, step: str = "") -> None:
        self.outcome = Outcome(State.REFUSED, text, step)

    def to_json(self) -> dict[str, Any]:
        namespace, _, name = self.name.partition("/")
        said = {"state": str(self.outcome.state), "message": self.outcome.text}
        return {"namespace": namespace, "name": name, **said, "nextStep": self.outcome.next_step or None}


async def run_verb(verb: Verb, kubernetes: Kubernetes, targets: Targets, following: Following, **more: str) -> None:
    """Ask the operator for something about SearchAccesses, and print what became of each.

    Args:
        verb: what is asked.
        kubernetes: where they are.
        targets: which of them.
        following: how long it is followed, and how it is shown.
        more: ``reason`` of an approval.

    Raises:
        typer.Exit: something was refused, or is not done in time; that was printed.
        ExternalError: they may not be read.
    """
    async with kubernetes.open_scope() as live:
        changes = Changes(live.server, dry_run=following.dry_run)
        lines = [_Line(raw) for raw in await _found(changes, live, targets)]
        if not lines:
            raise failure("no SearchAccess is selected")
        for line in lines:
            if text := obstacle(verb, line.raw):
                line.refuse(text)
        open_lines = [line for line in lines if line.outcome.state is State.PENDING]
        if open_lines:
            _confirm(verb, open_lines, following)
            await _ask_each(verb, changes, live, open_lines, more)
            waiting = [line for line in open_lines if line.asked and line.outcome.state is State.PENDING]
            if waiting and not (following.dry_run or following.no_wait):
                await _follow(verb, changes, waiting, following.seconds)
    _show(lines, following)


async def _found(changes: Changes, live: Live, targets: Targets) -> list[dict[str, Any]]:
    if not targets.names:
        return await changes.select(live.scope, targets.selector)
    found = []
    for given in dict.fromkeys(targets.names):
        namespace, _, name = given.rpartition("/")
        if not (namespace or live.scope):
            raise typer.BadParameter("write NAMESPACE/NAME with --all-namespaces", param_hint="ACCESS")
        found.append(await changes.find(namespace or live.scope, name))
    return found


def _confirm(verb: Verb, lines: Sequence[_Line], following: Following) -> None:
    """Ask before something dangerous.

    Raises:
        typer.Exit: the answer was no, or nobody can be asked.
    """
    if following.dry_run or not (verb in _ASKS_ALWAYS or (verb in _ASKS_FOR_MANY and len(lines) > 1)):
        return
    for line in lines:
        if verb is Verb.APPROVE:
            _print_request(line)
        elif verb is Verb.ADOPT:
            warn(f"{line.name}: {adoptable(line.raw)} becomes what its SearchAccesses declare")
        else:
            warn(line.name)
    if following.yes:
        return
    what = f"{_WORDS[verb]} {len(lines)} SearchAccess{'es' if len(lines) > 1 else ''}"
    if not sys.stdin.isatty():
        warn(f"nobody can be asked whether to {what}: add --yes")
        raise typer.Exit(int(Exit.USAGE))
    if not typer.confirm(f"{what[0].upper()}{what[1:]}?", err=True):
        raise failure("nothing was changed")


def _print_request(line: _Line) -> None:
    """Show what is approved."""
    access = access_from_object(line.raw)
    report = report_of(access, line.raw)
    by = access.requested_by or "nobody who is named"
    shown = [tree_of(report).text, f"  requested by {by}, generation {access.generation}"]
    for entry in report["entries"]:
        limits = " and ".join(name for name in ("where", "fields") if entry[name])
        text = f"  {', '.join(entry['indices'])}: {', '.join(entry['privileges'])}"
        shown.append(f"{text} (limited by {limits})" if limits else text)
    if report["clusterCan"]:
        shown.append(f"  cluster: {', '.join(report['clusterCan'])}")
    for text in shown:
        typer.echo(plain(text), err=True)


async def _ask_each(verb: Verb, changes: Changes, live: Live, lines: Sequence[_Line], more: Mapping[str, str]) -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    for line in lines:
        try:
            match verb:
                case Verb.APPROVE:
                    await _approve(changes, live, line, more.get("reason", ""))
                case Verb.REJECT:
                    await _reject(changes, line)
                case _:
                    change = change_for(verb, now, adoptable(line.raw))
                    line.raw = await changes.patch(line.raw, change)
                    line.asked = Asked(verb, now, metadata_of(line.raw).generation)
        except ExternalError as error:
            line.refuse(error.message)


async def _approve(changes: Changes, live: Live, line: _Line, reason: str) -> None:
    username, groups = await changes.whoami()
    try:
        policies = await live.list_raw(Plural.POLICIES)
    except ExternalError as error:
        policies = []
        warn(f"not read: {error.message}")
    meta = metadata_of(line.raw)
    body = approval_body(line.raw, username, groups_that_count(line.raw, policies, groups), reason)
    stored = await changes.create_approval(body, meta.namespace)
    line.asked = Asked(Verb.APPROVE, metadata_of(stored).uid, meta.generation)


async def _reject(changes: Changes, line: _Line) -> None:
    found = await changes.approvals_of(line.raw)
    if not found:
        raise Rejected("it has no approval")
    for raw in found:
        await changes.delete_approval(raw)
    line.asked = Asked(Verb.REJECT, "", metadata_of(line.raw).generation)


async def _follow(verb: Verb, changes: Changes, lines: Sequence[_Line], within: float) -> None:
    by_uid = {line.uid: line for line in lines}
    with progress(f"{verb}: waiting for {len(lines)}") as show:

        def note(uid: str, outcome: Outcome) -> None:
            by_uid[uid].outcome = outcome
            left = sum(line.outcome.state is State.PENDING for line in lines)
            show(f"{verb}: waiting for {left} of {len(lines)}: {outcome.text}")

        asked = {line.uid: line.asked for line in lines if line.asked}
        outcomes = await changes.follow(asked, [line.raw for line in lines], within, note)
    for uid, outcome in outcomes.items():
        by_uid[uid].outcome = outcome


def _show(lines: Sequence[_Line], following: Following) -> None:
    """Print what became of each.

    Raises:
        typer.Exit: something was refused, or is not done in time.
    """
    waits = not (following.dry_run or following.no_wait)
    if following.dry_run:
        for line in lines:
            if line.asked:
                line.outcome = Outcome(State.DONE, "the API server would accept it (dry run): nothing was changed")
    items = [line.to_json() for line in lines]
    rows = [[line.name, line.outcome.state, " ".join(line.outcome.text.split())] for line in lines]

    def shown() -> list[Any]:
        steps = dict.fromkeys(f"next: {line.outcome.next_step}" for line in lines if line.outcome.next_step)
        heads = ["NAME", "STATE", "MESSAGE"]
        if fits(heads, rows, {"MESSAGE"}, _READABLE):
            return [table(heads, rows, whole={"NAME", "STATE"}), *steps]
        return [*blocks((name, f"{state}: {text}") for name, state, text in rows), *steps]

    emit(following.output, {"items": items}, shown)
    if waits and any(line.outcome.state is State.PENDING for line in lines):
        warn(f"not all was done within {following.timeout}: searchaccess status NAME shows the progress")
    if any(line.outcome.state is State.REFUSED or (waits and line.outcome.state is State.PENDING) for line in lines):
        raise typer.Exit(int(Exit.FAILED))
