"""A plan as text, for a terminal or a log."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from searchaccess.api.conditions.docs import NEXT_STEPS
from searchaccess.cli import printing
from searchaccess.cli.plans.escaping import printable
from searchaccess.core.answers.plan.model import Kind, ObjectChange, Plan, RoleChange, Trouble, in_words
from searchaccess.core.messages import some_of
from searchaccess.core.model.verdict import Outcome

OPENS: Final = "red"
CLOSES: Final = "green"
HEAD: Final = "bold"
DIM: Final = "dim"
_SHOWN: Final = 3
"""Objects that a problem of many names."""
_WORDS: Final = {
    Kind.ADDED: "gets rights for the first time",
    Kind.WIDENED: "gets more rights",
    Kind.MIXED: "gets other rights, some of them new",
    Kind.NARROWED: "gets fewer rights",
    Kind.REMOVED: "loses all rights",
    Kind.SAME: "has the same rights, written in another way",
}
_SAYS: Final = {
    Outcome.DENIED: "refuses it",
    Outcome.WOULD_DENY: "(Audit) would refuse it",
    Outcome.PENDING_APPROVAL: "requires an approval",
    Outcome.EXEMPT: "does not apply, by an exception",
}


class Styled(NamedTuple):
    """A line, and how it is shown where there are colors.

    Args:
        text: without line breaks or control characters.
        style: of rich; empty: as usual.
        indent: characters by which its continuation is indented.
    """

    text: str
    style: str = ""
    indent: int = 0


def lines_of(plan: Plan, *, diffs: bool = True) -> Iterator[Styled]:
    """Yield a plan in lines: what opens something first.

    Args:
        plan: the plan.
        diffs: whether the rights before and after are shown.
    """
    for role in plan.roles:
        yield from _role(role, diffs=diffs)
        yield Styled("")
    troubles, objects = plan.troubles()
    for trouble in troubles:
        yield from _trouble(trouble)
        yield Styled("")
    for change in objects:
        if found := list(_object(change)):
            yield from found
            yield Styled("")
    for other in plan.others:
        yield _line(f"would {other}")
    if plan.others:
        yield Styled("")
    count = plan.count()
    yield _line(f"{count[0].upper()}{count[1:]}.", HEAD)
    yield _line("WIDENS: something is newly allowed." if plan.widens else "Nothing is newly allowed.", HEAD)
    if plan.unfinished:
        yield _line(f"NOT FINISHED: {plan.unfinished}.", HEAD)


def _line(text: str, style: str = "", indent: int = 0) -> Styled:
    return Styled(printable(text), style, indent)


def _role(role: RoleChange, *, diffs: bool) -> Iterator[Styled]:
    mark = "WIDENS " if role.kind.opens else ""
    yield _line(f"{mark}{role.caller} {_WORDS[role.kind]} (cluster {role.cluster})", HEAD)
    if role.accesses:
        yield _line(f"  for {', '.join(role.accesses)}", DIM, 6)
    for gain in role.gains:
        yield _line(f"  + {in_words(gain)}", OPENS, 4)
    for loss in role.losses:
        yield _line(f"  - {_lost(in_words(loss))}", CLOSES, 4)
    for line in role.diff if diffs else ():
        yield _line(f"    {line}", DIM, 8)


def _lost(words: str) -> str:
    return words.replace("more documents than before", "more documents than now").replace(
        "more fields than before", "more fields than now"
    )


def _trouble(trouble: Trouble) -> Iterator[Styled]:
    mark, style = ("FAILED", OPENS) if trouble.failed else ("problem", "")
    yield _line(f"{mark} {trouble.problem}", style, 2)
    yield _line(f"  of {len(trouble.names)} objects: {some_of(trouble.names, _SHOWN)}", indent=4)
    if step := next_step(trouble.problem):
        yield _line(f"  next: {step}", indent=4)


def next_step(problem: str) -> str:
    """Return what to do about a problem, which begins with its reason; empty: nobody has to do anything."""
    return NEXT_STEPS.get(problem.partition(":")[0], "")


def _object(change: ObjectChange) -> Iterator[Styled]:
    if not (change.loosened or change.verdicts or change.problem or change.note or change.kind != "SearchAccess"):
        return
    mark = "WIDENS " if change.loosened else ""
    yield _line(f"{mark}{change.kind} {change.name}: {change.change}", HEAD)
    for each in change.loosened:
        yield _line(f"  ! {each.path}: {each.before} -> {each.after}: {each.why}", OPENS, 4)
    for verdict in change.verdicts:
        reasons = "; ".join(verdict.reasons)
        yield _line(f"  SearchAccessPolicy {verdict.policy} {_SAYS.get(verdict.outcome, '')}: {reasons}", indent=4)
    if change.problem:
        yield _line(f"  {'FAILED' if change.failed else 'problem'} {change.problem}", OPENS if change.failed else "", 4)
    if change.note:
        yield _line(f"  note: {change.note}", DIM, 4)


def wrapped(lines: Iterator[Styled], width: int | None) -> Iterator[Styled]:
    """Yield lines that fit a terminal; None: the output is none, and lines stay whole so that they can be copied."""
    from rich.cells import cell_len

    for line in lines:
        if width is None or cell_len(line.text) <= width:
            yield line
            continue
        parts = printing.whole_words(line.text, width, " " * line.indent)
        yield from (Styled(part, line.style) for part in parts)


def print_lines(lines: Iterator[Styled]) -> None:
    """Print lines: on a terminal with colors, and so that words stay whole."""
    screen = printing.console()
    for line in wrapped(lines, printing.width()):
        screen.print(line.text, style=line.style or None, soft_wrap=True)
