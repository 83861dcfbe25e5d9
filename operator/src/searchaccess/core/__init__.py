"""The pure core: what should be, what is, the difference and the decision. No I/O, no clock, no framework."""
