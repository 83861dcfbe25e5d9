"""Plans, answers and requests for the command line, beside the loop."""
