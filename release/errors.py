"""Why a release is not signed, or not accepted."""


class Refused(Exception):
    """Something about a release is not as it must be; says what."""


class BadArchive(Refused):
    """The file is no archive of one image."""


class Unpinned(Refused):
    """The image was built from what may change: images that were not named by digest, or files of no commit."""


class BadKey(Refused):
    """The key cannot be read, or is of a kind that is not supported."""


class NotGenuine(Refused):
    """The signature is not of this key, or a file is not the one that was signed."""
