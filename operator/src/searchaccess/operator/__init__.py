"""The process: kopf as event source and host, and the wiring of everything."""
