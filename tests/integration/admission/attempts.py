"""The table of attempts to get rights that need an approval."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from tests.integration.admission.consents import ASKER, BOT, Attempt, Play, Steps, Wait

OPEN: Final = "requires an approval; user bob"
"""No approval is there that could be said not to count."""
NOT_NAMED: Final = "its spec.approvedBy names no user or group that may approve"
OWN: Final = "nobody approves what they request themselves"
NOT_YOU: Final = "spec.approvedBy.username is not you: write "
NOT_YOURS: Final = "spec.approvedBy.groups has a group that is not yours"
FIXED: Final = "an approval cannot be changed: delete it, and create another one"
NO_UID: Final = "00000000-0000-4000-8000-000000000000"
Does = Callable[[Play], object]


def doing(*does: Does, rule: str = "people", by: str = "ann", **more: str) -> Callable[[Play], Steps]:
    """Return what is done with a SearchAccess that was requested, and that the operator has seen."""

    def steps(play: Play) -> Steps:
        play.request(rule, by, **more)
        yield Wait.SEEN
        for each in does:
            each(play)

    return steps


def after_a_minute(before: Does, after: Does, *, rule: str, **more: str) -> Callable[[Play], Steps]:
    """Return what is done soon after a SearchAccess was requested, and what more than a minute later."""

    def steps(play: Play) -> Steps:
        play.request(rule, **more)
        yield Wait.SEEN
        before(play)
        yield Wait.MINUTE
        after(play)

    return steps


def approve(who: str = "bob", *groups: str, **more: Any) -> Does:
    return lambda play: play.approve(who, *groups, **more)


def edit(who: str = "ann", **more: Any) -> Does:
    return lambda play: play.edit(who, **more)


def move(**spec: Any) -> Does:
    return lambda play: play.move(**spec)


def nothing(_: Play) -> None:
    """Do nothing."""


def seen(play: Play) -> None:
    """Wait until it has its rights."""
    play.until(lambda found: found["status"].get("reason") == "InSync", "granted")


def before_it_exists(play: Play) -> Steps:
    play.approve(uid=NO_UID, generation=1)
    yield from ()
    play.request()


def in_advance(play: Play) -> Steps:
    play.request()
    yield Wait.SEEN
    play.approve(generation=2)
    play.until(lambda found: found["status"].get("prematureApprovals"), "the approval in advance was seen")
    play.edit()


def held(play: Play) -> None:
    """Approve it, and delete the approval, which somebody holds."""
    play.approve(metadata={"finalizers": ["example.com/held"]})
    seen(play)
    play.withdraw()


def label(play: Play) -> None:
    play.send("PATCH", play.path, "eve", body={"metadata": {"labels": {"a": "b"}}})


def as_bob_with_a_token(play: Play) -> None:
    play.approve("bob", token=play.token)


def counting() -> Iterator[tuple[str, Attempt]]:
    """Yield what counts."""
    yield "a user who may", Attempt(doing(approve()), granted=True)
    yield "a member of a group that may", Attempt(doing(approve("eve", "leads")), granted=True)
    yield "a member of several groups", Attempt(doing(approve("eve", "leads", has=("leads", "teams"))), granted=True)
    yield "a service account that may", Attempt(doing(approve(BOT)), granted=True)
    yield "one that counts beside one that does not", Attempt(doing(approve("eve"), approve(number=2)), granted=True)
    yield "the edited spec is approved again", Attempt(doing(approve(), edit(), approve(number=2)), granted=True)
    yield (
        "each of two policies by one of two",
        Attempt(doing(approve(), approve("carl", number=2), second="yes"), granted=True),
    )
    yield "labels are added after the approval", Attempt(doing(approve(), label), granted=True)
    yield (
        "another edit in the requesters name is refused",
        Attempt(doing(approve(), edit("bob")), granted=True, refused="must name who writes the spec: write bob"),
    )
    yield "an emergency where it is allowed", Attempt(doing(rule="glass", glass="the shop is down"), granted=True)
    yield (
        "two approvals of which one is withdrawn",
        Attempt(doing(approve(), approve("eve", "leads", number=2), seen, Play.withdraw), granted=True),
    )


def by_whom() -> Iterator[tuple[str, Attempt]]:
    """Yield attempts by who approves."""
    yield "nobody approves", Attempt(doing(), granted=False, says=OPEN)
    yield "the requester as a member of a group", Attempt(doing(approve("ann", "leads")), granted=False, says=OWN)
    yield "the requester as a user who may", Attempt(doing(approve(), by="bob"), granted=False, says=OWN)
    yield "the requester as a service account that may", Attempt(doing(approve(BOT), by=BOT), granted=False, says=OWN)
    yield "who edits the spec approves it", Attempt(doing(edit("bob", says="bob"), approve()), granted=False, says=OWN)
    yield (
        "the requester in the name of another",
        Attempt(doing(approve("ann", says="bob")), granted=False, says=OPEN, refused=f"{NOT_YOU}ann"),
    )
    yield (
        "the requester with the rights to approve alone, as another",
        Attempt(
            doing(as_bob_with_a_token, by=ASKER),
            granted=False,
            says=OPEN,
            refused="cannot impersonate",
        ),
    )
    yield (
        "the requester says that another requests it",
        Attempt(
            doing(
                lambda play: play.send(
                    "PATCH",
                    play.path,
                    "ann",
                    body={"metadata": {"annotations": {"searchaccess.dev/requested-by": "carl"}}},
                ),
                approve("ann", "leads"),
            ),
            granted=False,
            says=OWN,
            refused="must name who writes the spec: write ann",
        ),
    )
    yield (
        "a group of others",
        Attempt(doing(approve("eve", "leads", has=("teams",))), granted=False, says=OPEN, refused=NOT_YOURS),
    )
    yield "a user who may not", Attempt(doing(approve("eve")), granted=False, says=NOT_NAMED)
    yield "a member of a group that may not", Attempt(doing(approve("eve", "teams")), granted=False, says=NOT_NAMED)
    yield (
        "a member of a group that may who does not say so",
        Attempt(doing(approve("eve", has=("leads",))), granted=False, says=NOT_NAMED),
    )
    yield (
        "a group with the name of a user who may",
        Attempt(doing(approve("eve", "bob")), granted=False, says=NOT_NAMED),
    )
    yield "a user with the name of a group that may", Attempt(doing(approve("leads")), granted=False, says=NOT_NAMED)
    yield "another spelling of a user who may", Attempt(doing(approve("Bob")), granted=False, says=NOT_NAMED)
    yield (
        "a service account of another namespace",
        Attempt(doing(approve("system:serviceaccount:shop:bot")), granted=False, says=NOT_NAMED),
    )
    yield "nobody says who requests it", Attempt(doing(approve(), by=""), granted=False, says="add the annotation")


def of_what() -> Iterator[tuple[str, Attempt]]:
    """Yield attempts by what is approved."""
    yield "another uid", Attempt(doing(approve(uid=NO_UID)), granted=False, says="requires an approval")
    yield "another name", Attempt(doing(approve(name="other")), granted=False, says="requires an approval")
    yield "another namespace", Attempt(doing(approve(where="bank")), granted=False, says="requires an approval")
    yield "before it exists", Attempt(before_it_exists, granted=False, says="requires an approval")
    yield (
        "it is created again",
        Attempt(doing(approve(), seen, Play.recreate), granted=False, says="requires an approval"),
    )
    yield (
        "no generation",
        Attempt(doing(approve(generation=None)), granted=False, says=OPEN, refused="spec.generation: Required value"),
    )
    yield (
        "generation 0",
        Attempt(doing(approve(generation=0)), granted=False, says=OPEN, refused="spec.generation: Invalid value"),
    )
    yield (
        "a later generation",
        Attempt(doing(approve(generation=2)), granted=False, says="when there was no generation 2 yet"),
    )
    yield "in advance, and then it is edited", Attempt(in_advance, granted=False, says="it was given in advance")
    yield "the spec is edited", Attempt(doing(approve(), seen, edit()), granted=False, says="about generation 1, not 2")
    yield (
        "the spec is edited and edited back",
        Attempt(doing(approve(), seen, edit(), edit(index="*")), granted=False, says="about generation 1, not 3"),
    )
    yield (
        "the spec is edited, and the approval moved after it",
        Attempt(
            doing(approve(), seen, edit(), move(generation=2)),
            granted=False,
            says="about generation 1, not 2",
            refused=FIXED,
        ),
    )
    yield (
        "an approval that does not count gets another author",
        Attempt(
            doing(approve("eve"), move(approvedBy={"username": "bob"})), granted=False, says=NOT_NAMED, refused=FIXED
        ),
    )
    yield "the approval is deleted", Attempt(doing(approve(), seen, Play.withdraw), granted=False, says=OPEN)
    yield (
        "others delete the approval",
        Attempt(doing(approve(), seen, lambda play: play.withdraw("eve")), granted=False, says=OPEN),
    )
    yield "the approval is being deleted and held", Attempt(doing(held), granted=False, says="it is being deleted")
    yield (
        "one of two policies",
        Attempt(doing(approve(), second="yes"), granted=False, says="SearchAccessPolicy second requires an approval"),
    )


def at_what_time() -> Iterator[tuple[str, Attempt]]:
    """Yield attempts by when it is approved."""
    yield (
        "its time is over, and another one was created in time",
        Attempt(after_a_minute(approve(), approve(number=2), rule="brief"), granted=True),
    )
    yield (
        "in time, and its within is over by now",
        Attempt(after_a_minute(approve(), nothing, rule="swift"), granted=True),
    )
    yield "too late", Attempt(after_a_minute(nothing, approve(), rule="swift"), granted=False, says="it came too late")
    yield (
        "too late, with an earlier time in it",
        Attempt(
            after_a_minute(nothing, approve(metadata={"creationTimestamp": "2026-01-01T00:00:00Z"}), rule="swift"),
            granted=False,
            says="it came too late",
        ),
    )
    yield (
        "after a minute, where it may be any time",
        Attempt(after_a_minute(nothing, approve(), rule="people"), granted=True),
    )
    yield (
        "its time is over",
        Attempt(after_a_minute(approve(), nothing, rule="brief"), granted=False, says="it ended at"),
    )


def in_emergencies() -> Iterator[tuple[str, Attempt]]:
    """Yield attempts without an approval."""
    yield (
        "an emergency where none is allowed",
        Attempt(doing(glass="the shop is down"), granted=False, says="it allows no break-glass"),
    )
    yield "an emergency without a reason", Attempt(doing(rule="glass", glass=""), granted=False, says=OPEN)
    yield (
        "an emergency that is over",
        Attempt(
            after_a_minute(nothing, nothing, rule="short-glass", glass="the shop is down"),
            granted=False,
            says="the time of searchaccess.dev/break-glass is over",
        ),
    )
    yield (
        "an emergency that is over, edited",
        Attempt(
            after_a_minute(nothing, edit(), rule="short-glass", glass="the shop is down"),
            granted=False,
            says="the time of searchaccess.dev/break-glass is over",
        ),
    )


ATTEMPTS: Final = dict([*at_what_time(), *in_emergencies(), *counting(), *by_whom(), *of_what()])
"""By name. Those with a time limit are first: nothing else comes between what is done and what is seen of it."""
