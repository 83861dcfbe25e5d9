"""How plans are shown: to a terminal, and in a comment on a pull request that anybody may write."""

import html
import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from searchaccess.cli.plans.escaping import as_code, as_text, fence_for, printable
from searchaccess.cli.plans.markdown import LONGEST, MARKER, markdown_of
from searchaccess.cli.plans.text import lines_of, wrapped
from searchaccess.core.answers.plan.cover import Gain
from searchaccess.core.answers.plan.model import Kind, Loosened, Object, ObjectChange, Plan, RoleChange
from searchaccess.core.model.verdict import Outcome, PolicyOutcome
from tests.unit.answers.plan.manifests import a_policy, an_access, planned
from tests.unit.builders import a_grant

EVIL = "`x`|</code></details><script>@acme/admins ![a](http://evil) **b** <!-- --> \x1b[31m\u202e\r\nnew"
MARKUP = re.compile(r"[`*_\[\]<>|@#!~\\:]")


def an_evil_plan(number: int = 1) -> Plan:
    gain = Gain(EVIL, ("read",), (EVIL,), "documents", EVIL, (EVIL,), (EVIL,), EVIL)
    roles = tuple(
        RoleChange(EVIL, f"{EVIL}{at}", Kind.WIDENED, (gain,), (gain,), (EVIL,), (f"+{EVIL}", "```", "+````` end"))
        for at in range(number)
    )
    verdict = PolicyOutcome(EVIL, Outcome.DENIED, (EVIL,))
    loosened = Loosened(EVIL, EVIL, EVIL, EVIL)
    objects = tuple(
        ObjectChange(EVIL, f"{EVIL}{at}", Object.CHANGED, (loosened,), (verdict,), EVIL, EVIL, failed=True)
        for at in range(number)
    )
    return Plan(EVIL, roles, objects, (EVIL,), EVIL)


@given(st.text())
def test_nothing_in_a_text_is_markup(text: str) -> None:
    shown = as_text(text)
    assert not MARKUP.search(re.sub(r"&#\d+;", "", shown))
    assert html.unescape(re.sub(r"&#(?:0|1[0-9]?|2[0-9]?|3[01]?);", "", shown)) == printable(text)
    assert as_code(text) == f"<code>{shown}</code>"
    assert "\n" not in shown


def test_a_comment_on_an_unfinished_plan_does_not_say_that_nothing_is_newly_allowed() -> None:
    assert "plan: nothing is newly allowed" in markdown_of(Plan("origin/main"))
    assert "plan: it is not known whether anything is newly allowed" in markdown_of(Plan("live", unfinished="no time"))
    widened = RoleChange("prod", "web", Kind.WIDENED)
    assert "plan: something is newly allowed" in markdown_of(Plan("live", (widened,), unfinished="no time"))


def without_diffs(text: str) -> str:
    return re.sub(r"^(`{3,})diff\n.*?\n\1$", "", text, flags=re.DOTALL | re.MULTILINE)


def test_names_in_a_comment_are_no_markup() -> None:
    text = markdown_of(an_evil_plan())
    rest = without_diffs(text)
    for sign in ("@", "<script", "![", "](", "\x1b", "\u202e", "http://"):
        assert sign not in rest
    # Only our own tags are left, each closed.
    tags = re.findall(r"</?[a-z]+>", rest)
    assert {tag.strip("</>") for tag in tags} <= {"code", "details", "summary", "br"}
    for tag in ("code", "details", "summary"):
        assert tags.count(f"<{tag}>") == tags.count(f"</{tag}>")
    rows = [line for line in rest.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {6, 4}


def test_a_diff_ends_where_it_ends() -> None:
    lines = ("a", "```", "`````` b")
    assert fence_for(lines) == "`" * 7
    text = markdown_of(an_evil_plan())
    (block,) = re.findall(r"^(`{3,})diff\n(.*?)\n\1$", text, flags=re.DOTALL | re.MULTILINE)
    assert block[1].splitlines()[1:] == ["```", "+````` end"]
    assert "\x1b" not in text


@pytest.mark.parametrize("number", [1, 99, 101, 2_000])
def test_a_comment_has_a_bounded_size(number: int) -> None:
    text = markdown_of(an_evil_plan(number))
    assert len(text) <= LONGEST
    assert text.startswith(MARKER)
    assert ("not shown" in text or "do not fit" in text) is (number > 1)


def test_a_terminal_gets_no_control_characters_and_fits() -> None:
    lines = list(wrapped(lines_of(an_evil_plan()), 80))
    assert max(len(line.text) for line in lines) <= 80
    assert not [line for line in lines if not line.text.isprintable()]
    whole = list(wrapped(lines_of(an_evil_plan()), None))
    assert len(whole) < len(lines)


def test_a_plan_in_words() -> None:
    before = [an_access(grants=[a_grant("orders-*", where={"term": {"region": "eu"}})])]
    after = [
        an_access(grants=[a_grant("orders-*", can=["read", "delete"])]),
        a_policy(mode="Audit", limits={"grants": 0}),
    ]
    text = "\n".join(line.text for line in lines_of(planned(before, after)))
    assert "WIDENS orders@acme-shop.iam.gserviceaccount.com gets more rights (cluster prod)" in text
    assert "  + delete on orders-*\n" in text
    assert "  + read on orders-*, more documents than before" in text
    assert '    -  query: {"term":{"region":"eu"}}' in text
    assert "SearchAccessPolicy limits (Audit) would refuse it" in text
    assert text.endswith("WIDENS: something is newly allowed.")
    assert '-  query: {"term":{"region":"eu"}}' not in "\n".join(
        line.text for line in lines_of(planned(before, after), diffs=False)
    )


def test_the_json_is_plain_data_of_one_shape() -> None:
    plan = planned([], [an_access(grants=[a_grant("orders-*")]), a_policy()])
    data = plan.to_json()
    assert yaml.safe_load(yaml.safe_dump(data)) == data
    assert data["format"] == "searchaccess.dev/plan/v1"
    assert (data["exitCode"], data["widens"], data["against"]) == (2, True, "main")
    (caller,) = data["callers"]
    assert caller["opens"][0] == {
        "indices": "orders-*", "privileges": ["read", "view_index_metadata"], "remoteClusters": [],
        "because": "indices", "where": "", "fields": [], "hidden": [], "example": "", "certain": True,
    }  # fmt: skip
    assert {"cluster", "caller", "change", "widens", "opens", "closes", "for", "diff"} == caller.keys()
    assert {each["kind"] for each in data["manifests"]} == {"SearchAccess", "SearchAccessPolicy"}
