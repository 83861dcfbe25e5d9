"""What the command line reports."""
