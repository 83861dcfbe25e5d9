"""Times, durations and windows, as the kinds declare them."""
