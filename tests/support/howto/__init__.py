"""The how-to pages, followed on a running installation."""
