"""What a gateway does with a request: verifies its caller, limits it, or refuses it."""
