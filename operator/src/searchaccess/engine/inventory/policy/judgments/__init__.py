"""What policies say of SearchAccesses, where that takes longer than a turn of the event loop."""
