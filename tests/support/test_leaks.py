"""The search for secrets finds them in every form that a careless log would have."""

import base64
import json

import pytest

from tests.support.leaks import leaks

SECRET = "s3cret/pass+word"


@pytest.mark.parametrize(
    "text",
    [
        f"logging in with {SECRET}",
        f"https://user:{'s3cret%2Fpass%2Bword'}@host",
        json.dumps({"authorization": "Basic " + base64.b64encode(f"operator:{SECRET}".encode()).decode()}),
        base64.b64encode(SECRET.encode()).decode(),
        base64.b64encode(f"a:{SECRET}\n".encode()).decode(),
        base64.b64encode(f"ab:{SECRET}, and more".encode()).decode(),
        '"s3cret\\/pass+word"',
    ],
)
def test_a_secret_is_found(text: str) -> None:
    assert leaks({"log": f"before {text} after"}, [SECRET]) == ["log: s3c…"]


def test_other_text_is_no_secret() -> None:
    assert not leaks({"log": "s3cret pass word", "other": ""}, [SECRET])
