"""Tables of attacks: what is sent, what is expected, and why."""
