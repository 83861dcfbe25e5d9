"""Wildcards as Elasticsearch's security settings have them, compared with one text in linear time."""


def matches(pattern: str, text: str) -> bool:
    """Return whether a wildcard of Lucene (``*``, ``?``, a backslash before one that is meant) matches a whole text."""
    tokens = _tokens(pattern)
    at = place = 0
    star, mark = -1, 0
    while place < len(text):
        if at < len(tokens) and tokens[at] in {"?", f"={text[place]}"}:
            at, place = at + 1, place + 1
        elif at < len(tokens) and tokens[at] == "*":
            star, mark, at = at, place, at + 1
        elif star >= 0:
            mark += 1
            at, place = star + 1, mark
        else:
            return False
    return all(part == "*" for part in tokens[at:])


def _tokens(pattern: str) -> list[str]:
    tokens, escaped = [], False
    for character in pattern:
        if escaped or character not in "*?\\":
            tokens.append(f"={character}")
            escaped = False
        elif character == "\\":
            escaped = True
        else:
            tokens.append(character)
    return tokens
