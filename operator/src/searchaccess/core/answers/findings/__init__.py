"""What somebody has to look at, with stable ids and a life cycle: open, suppressed until a time, fixed."""
