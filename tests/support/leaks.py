"""Looks for secrets where people can read: logs, statuses, events."""

import base64
from collections.abc import Iterable, Mapping
from urllib.parse import quote


def forms_of(secret: str) -> set[str]:
    """A secret as it may show: itself, in a URL, in JSON, or base64-encoded at any offset."""
    raw = secret.encode()
    forms = {secret, quote(secret, safe=""), secret.replace("/", "\\/")}
    for offset in range(3):
        # Base64 of a longer text that holds the secret: what its neighbors touch is left out.
        encoded = base64.b64encode(b"\0" * offset + raw).decode().rstrip("=")
        start = (offset * 8 + 5) // 6
        whole = (offset + len(raw)) * 8 // 6
        forms.add(encoded[start:whole])
    return forms


def leaks(texts: Mapping[str, str], secrets: Iterable[str]) -> list[str]:
    """Where which secret shows; only its first letters are reported."""
    found = []
    for secret in secrets:
        assert len(secret) > 7, "too short to be distinguished from ordinary words"
        for where, text in texts.items():
            if any(form in text for form in forms_of(secret)):
                found.append(f"{where}: {secret[:3]}…")
    return found
