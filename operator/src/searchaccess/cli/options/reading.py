"""Reads values of options."""

import re
from typing import Final

import typer

_LAST_PORT: Final = 65535
_DAY: Final = 24 * 3600.0


def address(text: str, option: str) -> tuple[str, int] | None:
    """Read an address such as ``0.0.0.0:8080`` or ``[::]:8080``; None: the text is empty.

    Args:
        text: the address.
        option: by which it was given.

    Raises:
        typer.BadParameter: it is none.
    """
    if not text:
        return None
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > _LAST_PORT:
        raise typer.BadParameter("write an address and a port, such as 0.0.0.0:8080", param_hint=option)
    return host.strip("[]"), int(port)


def duration(text: str, option: str) -> float:
    """Read a duration such as ``50m`` or ``1h30m``; return its seconds.

    Args:
        text: the duration.
        option: by which it was given.

    Raises:
        typer.BadParameter: it is none.
    """
    from searchaccess.api.times.durations import DURATION_PATTERN, seconds

    if not re.fullmatch(DURATION_PATTERN, text):
        raise typer.BadParameter("write a duration, such as 50m or 1h30m", param_hint=option)
    return seconds(text)


def span(text: str, option: str) -> float:
    """Read a time of up to some years, such as ``7d``, ``36h`` or ``1d12h``; return its seconds.

    Args:
        text: the time.
        option: by which it was given.

    Raises:
        typer.BadParameter: it is none.
    """
    days, rest = re.fullmatch(r"(?:(\d{1,4})d)?(.*)", text, re.DOTALL | re.ASCII).groups()  # type: ignore[union-attr]
    if days and not rest:
        return int(days) * _DAY
    try:
        return int(days or 0) * _DAY + duration(rest, option)
    except typer.BadParameter:
        raise typer.BadParameter("write a time, such as 7d, 36h or 1d12h", param_hint=option) from None
