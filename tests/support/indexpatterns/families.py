"""Families of similar index patterns, of which many contain each other or meet."""

from collections.abc import Sequence
from random import Random
from typing import Final

SIGNS: Final = "dfs-.012"
"""Of which they are made. Data streams' backing indices begin with ``.ds-`` or ``.fs-``."""
MEMBERS: Final = 10
_LONGEST: Final = 4
_WILD: Final = (*SIGNS, "*", "*", "*", "?", ".ds-", ".fs-", "-000001")
_SIMPLE: Final = (*("d", "f", "s", "-", r"\.", "0", "1"), ".", "[df]", "[^d]", "[^-.]", "[0-2]", r"\d", r"\w", ".*")
_SPECIAL: Final = ("@", "#", "()", '"d."', "<1-12>", "<01-12>", "<0-2>", "<1-9>", "<2-21>", r"\.[df]s-", "-[0-9]{6}")
_TIMES: Final = ("*", "+", "?", "{2}", "{1,}", "{1,3}", "{0,2}")


def families(number: int) -> list[list[str]]:
    """Return so many lists of `MEMBERS` different patterns: wildcards in the one half, mostly regular expressions in
    the other. They are the same in each run."""
    return [_family(Random(seed), regex=bool(seed % 2)) for seed in range(number)]  # noqa: S311 - examples, no secrets


def _family(random: Random, *, regex: bool) -> list[str]:
    """Make a pattern, and the others from one of the former each, by a change at one place."""
    found = dict[str, Sequence[str]]()
    parts: Sequence[str] = [_part(random, regex=regex) for _ in range(random.randint(1, 3))]
    while len(found) < MEMBERS:
        text = "".join(parts)
        found["/" + text + "/" if regex else text] = parts
        parts = _changed(random, random.choice(list(found.values())), regex=regex)
    # A wildcard among regular expressions, and the other way round.
    return [*found][1:] + (["*" + random.choice(SIGNS) + "*"] if regex else ["/" + _regex(random) + ".*/"])


def _part(random: Random, *, regex: bool) -> str:
    return _regex(random) if regex else random.choice(_WILD)


def _changed(random: Random, parts: Sequence[str], *, regex: bool) -> list[str]:
    at = random.randrange(len(parts))
    one, before, after = parts[at], parts[:at], parts[at + 1 :]
    wider = [f"({one})?", f"({one})+", f"({one}|{_regex(random)})", ".*"] if regex else ["*", "?"]
    other = _part(random, regex=regex)
    longer = [*before, *random.choice(([one, other], [other, one])), *after]
    choices = [[*before, each, *after] for each in (other, random.choice(wider), random.choice(wider))]
    if len(parts) > 1:
        choices.append([*before, *after])
    return random.choice([*choices, longer] if len(parts) < _LONGEST else choices)


def _regex(random: Random, depth: int = 1) -> str:
    """Return a part of a regular expression that can be beside any other."""
    if not depth or random.random() < 0.5:
        return random.choice(_SIMPLE if random.random() < 0.8 else _SPECIAL)
    one, another = _regex(random, depth - 1), _regex(random, depth - 1)
    match random.randrange(5):
        case 0:
            return f"({one}|{another})"
        case 1:
            return f"({one}&.*{another})"
        case 2:
            return f"(~({one}))"
        case 3:
            return f"({one}{another})"
        case _:
            return f"({one}){random.choice(_TIMES)}"
