"""What is not ours."""
