"""Running work concurrently, in small parts, and in steps that a shutdown waits for."""
