"""A plan as Markdown, for a comment on a pull request: of bounded size, and nothing in it is markup of its own."""

from collections.abc import Iterator
from itertools import chain
from typing import Final

from searchaccess.cli.plans.escaping import as_code, as_text, fence_for, printable
from searchaccess.cli.plans.text import next_step
from searchaccess.core.answers.plan.model import Kind, ObjectChange, Plan, RoleChange, Trouble, in_words

LONGEST: Final = 60_000
"""Characters of a comment; GitHub accepts 65,536, and GitLab more."""
_LONGEST_CELL: Final = 2_000
_ROWS: Final = 100
"""Callers and manifests that a table shows."""
_DIFFS: Final = 50
_NAMED: Final = 3
"""Objects that a problem of many names."""
_KINDS: Final = {
    Kind.ADDED: "added",
    Kind.WIDENED: "**widened**",
    Kind.MIXED: "**widened** and narrowed",
    Kind.NARROWED: "narrowed",
    Kind.REMOVED: "removed",
    Kind.SAME: "rewritten",
}
MARKER: Final = "<!-- searchaccess plan -->"
"""Begins each comment, so that a pipeline finds its own to replace it."""


def markdown_of(plan: Plan) -> str:
    """Return a plan as Markdown, of at most `LONGEST` characters."""
    head = list(_head(plan))
    blocks = [*_tables(plan), *_diffs(plan)]
    if plan.unfinished:
        head.append(f"\n**Not finished:** {as_text(plan.unfinished)}.")
    text, left = "\n".join(head), 0
    for block in blocks:
        # The rest is what the text says when something does not fit.
        if len(text) + len(block) + 200 > LONGEST:
            left += 1
        else:
            text += "\n\n" + block
    if left:
        text += f"\n\n{left} parts do not fit into a comment: `searchaccess plan -o table` shows all of it."
    return text + "\n"


def _head(plan: Plan) -> Iterator[str]:
    yield MARKER
    # What was not compared may open something.
    known = "it is not known whether anything is newly allowed" if plan.unfinished else "nothing is newly allowed"
    verdict = "something is newly allowed" if plan.widens else known
    yield f"### SearchAccess plan: {verdict}"
    yield ""
    yield f"Compared with {as_code(plan.against)}: {as_text(plan.count())}."


def _tables(plan: Plan) -> Iterator[str]:
    if plan.roles:
        rows = chain(
            ["| Caller | Cluster | Change | Newly allowed | No longer allowed |", "|---|---|---|---|---|"],
            map(_row, plan.roles[:_ROWS]),
        )
        yield "\n".join(rows) + _more(len(plan.roles) - _ROWS, "callers")
    troubles, objects = plan.troubles()
    if troubles:
        yield "\n".join(map(_trouble, troubles[:_ROWS])) + _more(len(troubles) - _ROWS, "problems")
    shown = [each for each in objects if each.loosened or each.verdicts or each.problem or each.note]
    if shown:
        rows = chain(["| Manifest | Change | What to review |", "|---|---|---|"], map(_object, shown[:_ROWS]))
        yield "\n".join(rows) + _more(len(shown) - _ROWS, "manifests")
    if plan.others:
        listed = [f"- would {as_text(each)}" for each in plan.others[:_ROWS]]
        yield "\n".join(["Also in Elasticsearch:", "", *listed]) + _more(len(plan.others) - _ROWS, "changes")


def _trouble(trouble: Trouble) -> str:
    """Return a problem of several objects, once."""
    mark = "**Problem**" if trouble.failed else "Problem"
    step = next_step(trouble.problem)
    following = f" Next: {as_text(step)}" if step else ""
    shown, left = [as_code(name) for name in trouble.names[:_NAMED]], len(trouble.names) - _NAMED
    named = ", ".join(shown) + (f" and {left} more" if left > 0 else "")
    return f"- {mark} of {len(trouble.names)} objects ({named}): {as_text(trouble.problem)}{following}"


def _more(number: int, what: str) -> str:
    return f"\n\n{number} more {what} are not shown." if number > 0 else ""


def _row(role: RoleChange) -> str:
    cells = (
        as_code(role.caller),
        as_code(role.cluster),
        _KINDS[role.kind],
        _listed([in_words(each) for each in role.gains]),
        _listed([in_words(each).replace(" than before", " than now") for each in role.losses]),
    )
    return f"| {' | '.join(cells)} |"


def _listed(items: list[str]) -> str:
    return _joined([as_code(each) for each in items])


def _joined(items: list[str]) -> str:
    """Return items of a cell, as many as fit."""
    kept, size = list[str](), 0
    for at, each in enumerate(items):
        size += len(each)
        if size > _LONGEST_CELL:
            kept.append(f"and {len(items) - at} more")
            break
        kept.append(each)
    return "<br>".join(kept)


def _object(change: ObjectChange) -> str:
    words = [
        f"**widens**: {as_code(each.path)} {as_code(each.before)} → {as_code(each.after)}: {as_text(each.why)}"
        for each in change.loosened
    ]
    words += [
        f"SearchAccessPolicy {as_code(each.policy)} ({as_text(each.outcome)}): {as_text('; '.join(each.reasons))}"
        for each in change.verdicts
    ]
    words += [f"{'**problem**' if change.failed else 'problem'}: {as_text(change.problem)}"] if change.problem else []
    words += [as_text(change.note)] if change.note else []
    return f"| {as_text(change.kind)} {as_code(change.name)} | {as_text(change.change)} | {_joined(words)} |"


def _diffs(plan: Plan) -> Iterator[str]:
    for role in [each for each in plan.roles if each.diff][:_DIFFS]:
        lines = tuple(map(printable, role.diff))
        fence = fence_for(lines)
        summary = f"<summary>Rights of {as_code(role.caller)}</summary>"
        yield "\n".join(["<details>", summary, "", f"{fence}diff", *lines, fence, "", "</details>"])
