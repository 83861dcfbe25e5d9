"""The next step that a message names when the API server lacks something."""

import pytest

from searchaccess.operator.starting import in_full
from searchaccess.ports.errors import NotFound


@pytest.mark.parametrize(
    ("message", "step"),
    [
        pytest.param("the API server answered 404: page not found", "install the kinds", id="the kinds"),
        pytest.param(
            'the API server answered 404: namespaces "search-team" not found', "create the namespace", id="a namespace"
        ),
    ],
)
def test_the_next_step_is_about_what_is_missing(message: str, step: str) -> None:
    assert in_full(NotFound(message)).startswith(f"{message}; {step}")
