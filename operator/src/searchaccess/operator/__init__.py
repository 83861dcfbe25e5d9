"""The process: kopf as event source, and the wiring."""
