"""The commands: a thin module each, which imports what it needs when it runs (docs/adr/0062)."""
