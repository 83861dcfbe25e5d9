"""Build the documentation as a website, from the same Markdown files that the repository shows."""
