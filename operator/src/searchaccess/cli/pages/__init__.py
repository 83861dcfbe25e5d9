"""The generated pages and files."""
