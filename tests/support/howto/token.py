"""``python -m tests.support.howto.token KEY ACCOUNT AUDIENCE``: print an identity token, as gcloud does."""

import sys
from pathlib import Path

from tests.stack.trust.tokens import TokenIssuer


def main() -> None:
    """Print it."""
    key, account, audience = sys.argv[1:]
    print(TokenIssuer.from_file(Path(key)).mint(account, audience=audience))


if __name__ == "__main__":
    main()
