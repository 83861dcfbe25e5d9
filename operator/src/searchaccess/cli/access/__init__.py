"""Parts of the commands that answer who may do what (docs/adr/0063)."""
