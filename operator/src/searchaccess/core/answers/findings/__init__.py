"""What needs attention, with stable ids and a life cycle: open, suppressed until a time, fixed."""
