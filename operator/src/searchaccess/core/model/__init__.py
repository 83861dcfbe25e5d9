"""What is declared and observed, in one canonical form."""
