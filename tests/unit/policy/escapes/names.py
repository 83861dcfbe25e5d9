"""Tricks with names of indices."""

from typing import Final

from tests.unit.builders import a_grant
from tests.unit.policy.escapes.cases import BEYOND, Escape

_DENIED: Final = "is denied, as it can match what "
_CHARACTERS: Final = "an index name cannot contain"
_START: Final = "an index name cannot start with - _ or +"
_SPACE: Final = "an index name cannot be empty or contain white space"

_HARD: Final = {"allow": [{"indices": ["/shop-(a|b)*a(a|b){12}/", "/shop-(a|b)*b(a|b){12}/"], "can": ["read"]}]}


def _name(name: str, pattern: str, says: str = BEYOND) -> Escape:
    return Escape(name, {"grants": [a_grant("shop-orders", pattern)]}, says)


NAMES: Final = (
    _name("everything", "*"),
    _name("everything, as two stars", "**"),
    _name("everything that has a name", "?*"),
    _name("the namespace as the beginning of others", "shop*"),
    _name("the namespace itself", "shop"),
    _name("a wildcard for its first character", "?hop-orders"),
    _name("a wildcard for the separator", "shop?orders"),
    _name("a wildcard before the namespace", "*shop-orders"),
    _name("another namespace's index", "bank-orders"),
    _name("another namespace's index that ends as its own", "bank-shop-orders"),
    _name("a regular expression for everything", "/.*/"),
    _name("an alternative in a regular expression", "/shop-.*|bank-.*/"),
    _name("an alternative in brackets", "/(shop|bank)-orders/"),
    _name("a complement", "/~(bank)/"),
    _name("a complement that is all but empty", "/~()/"),
    _name("any character in a regular expression", "/shop.orders/"),
    _name("any text, by Lucene's own operator", "/@/"),
    _name("an intersection that lets another one in", "/(shop-.*&.*)|bank/"),
    _name("an optional beginning", "/(shop-)?.*/"),
    _name("an interval of numbers without its own beginning", "/<1-9>-orders/"),
    _name("a quoted text in a regular expression", '/"bank"-orders/'),
    _name("an escaped character in a regular expression", r"/\bank-orders/", "leave the backslash out"),
    _name("anchors, which Lucene does not have", "/^shop-.*$/", "^ is not an anchor here"),
    _name("a mark of a restriction, with an alternative", "/NO-INDEX 0123456789abcdef|bank/"),
    _name("a regular expression whose end is missing", "/shop-.*", "a regular expression is enclosed in slashes"),
    _name("a regular expression that is not understood", "/shop-(/", "grants[0].indices: '/shop-(/': "),
    _name("a character class by a word of other languages", r"/[[:alpha:]]+/", "within a character class"),
    _name("a comma in a name", "shop-orders,bank-orders", _CHARACTERS),
    _name("a comma and everything", "shop-*,*", _CHARACTERS),
    _name("an exclusion, which includes everything else", "-shop-orders", _START),
    _name("an inclusion of early releases", "+bank-orders", _START),
    _name("a name with an underscore, as of APIs", "_all", _START),
    _name("date math", "<bank-{now/d}>", _CHARACTERS),
    _name("date math that begins with its own name", "<shop-{now/d{yyyy}}>", _CHARACTERS),
    _name("encoded date math", "%3cbank-{now%2fd}%3e"),
    _name("an encoded slash", "shop-%2f..%2fbank\\", _CHARACTERS),
    _name("a path", "shop-/../bank", _CHARACTERS),
    _name("the parent folder", "..", "an index cannot be named . or .."),
    _name("an index of a remote cluster, by a colon", "eu:shop-orders", _CHARACTERS),
    _name("all indices of all remote clusters", "*:*", _CHARACTERS),
    _name("failures of a data stream, by a selector", "shop-orders::failures", _CHARACTERS),
    _name("an escaped star", r"shop-\*", _CHARACTERS),
    _name("an empty name", "", "at least 1 character"),
    _name("a name of white space", " ", _CHARACTERS),
    _name("a name with a space at its end", "shop-orders ", _CHARACTERS),
    _name("a line break in a name", "shop-orders\nbank-orders", _SPACE),
    _name("a null character", "shop-orders\x00", _SPACE),
    _name("upper case", "SHOP-orders", "index names are lower case"),
    _name("upper case of one letter, which is lowered to two", "\u0130-orders", "index names are lower case"),
    _name("a letter of another script that looks the same", "\u0455hop-orders"),
    _name("a long s, which normalization makes an s", "\u017fhop-orders"),
    _name("full width letters", "\uff53hop-orders"),
    _name("another hyphen", "shop\u2010orders"),
    _name("a zero-width space", "shop\u200b-orders", _SPACE),
    _name("a zero-width joiner", "sho\u200dp-orders", _SPACE),
    _name("text from right to left", "\u202eshop-orders", _SPACE),
    _name("a soft hyphen", "sh\u00adop-orders", _SPACE),
    _name("a letter made of two", "sho\u0301p-orders"),
    _name("a byte order mark", "\ufeffshop-orders", _SPACE),
    _name("half a character", "shop-\ud800", "a valid string"),
    _name("a wildcard with a character of two units", "shop-\U0001f600*", "outside of Unicode's basic plane"),
    _name("a name of 256 characters", "shop-" + "a" * 251, "at most 255 characters"),
    Escape(
        "a pattern that takes too long to compare",
        {"grants": [a_grant("/shop-[ab]{20}/")]},
        "too complicated to compare",
        _HARD,
    ),
    _name("a pattern that Elasticsearch cannot evaluate", "/shop-(.*a){40}/", "too complicated"),
    _name("a denied name", "shop-vault", _DENIED),
    _name("a wildcard that matches a denied name", "shop-v*", _DENIED),
    _name("a regular expression that matches a denied name", "/shop-(vault|orders)/", _DENIED),
    _name("an ending that is denied", "shop-a-pii", _DENIED),
    _name("a backing index of a denied data stream", ".ds-shop-vault-2026.01.01-000001", _DENIED),
    _name("the failures of a denied data stream", ".fs-shop-vault-2026.01.01-000001", _DENIED),
    _name("all backing indices", ".ds-shop-*", _DENIED),
    _name("all backing indices of others", ".ds-*"),
    _name("hidden indices", ".*"),
    _name("Elasticsearch's own users and keys", ".security-7"),
    _name("Kibana's own index", ".kibana*"),
    _name("a restored snapshot of another's index", "restored-bank-orders"),
    _name("a partial mount of another's index", "partial-bank-orders"),
    _name("what stands for the namespace in policies", "{namespace}-orders"),
)
