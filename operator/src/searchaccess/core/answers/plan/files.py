"""Plans from files alone: what was declared before against what is declared now."""

from searchaccess.core.answers.plan.model import Plan
from searchaccess.core.answers.plan.objects import changes_between
from searchaccess.core.answers.plan.roles import Rights, compare
from searchaccess.core.answers.plan.stated import Declared, Effect
from searchaccess.core.policy.decision import Do


def plan_between(before: Declared, after: Declared, against: str) -> Plan:
    """Return what changes from one version of manifests to another.

    What a SearchAccess has while its rights are held is not in the files. Before, it counts as nothing, so that
    enforcing it shows all of it; after, it keeps what it had.

    Args:
        before: the former version.
        after: the new one.
        against: what the former version is, such as ``origin/main``.
    """
    return Plan(against, compare(rights_before(before), rights_after(before, after)), changes_between(before, after))


def rights_before(declared: Declared) -> Rights:
    """Return what callers have by manifests."""
    found = Rights()
    for ref, stated in declared.accesses.items():
        if stated.effect is Effect.GRANTED:
            found.add(stated.caller, ref, stated.share)
    return found


def rights_after(before: Declared, after: Declared) -> Rights:
    """Return what callers have once other manifests replace former ones."""
    found = Rights()
    for ref, stated in after.accesses.items():
        was = before.accesses.get(ref)
        if stated.effect is Effect.GRANTED:
            found.add(stated.caller, ref, stated.share)
        elif stated.effect is Effect.HELD and was and was.effect is Effect.GRANTED:
            found.add(was.caller, ref, was.share)
    for ref, was in before.accesses.items():
        if ref not in after.accesses and was.effect is Effect.GRANTED and was.at_deletion.do in {Do.RELEASE, Do.HOLD}:
            found.add(was.caller, ref, was.share)
    return found
