"""``python -m searchaccess``."""

from searchaccess.cli.main import main

main()
