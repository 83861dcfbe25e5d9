"""The validating admission webhook: the server, and its certificate."""
