"""Points in time, as RFC 3339 has them."""

import re
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field

_RFC3339 = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})")
_LENGTH, _MARKS = len("2026-01-01T10:00:00Z"), "--T::Z"


def _moment(text: str) -> str:
    # A fast path for our own format: every reconcile reads thousands of times.
    ours = len(text) == _LENGTH and text[4::3] == _MARKS
    if not ours and not _RFC3339.fullmatch(text):
        raise ValueError("not a time in RFC 3339")
    datetime.fromisoformat(text)
    return text


DateTime = Annotated[str, AfterValidator(_moment), Field(json_schema_extra={"format": "date-time"})]
"""RFC 3339; written in UTC, whole seconds."""

NEVER = "1970-01-01T00:00:00Z"
"""Represents an unknown time."""
