"""What the loop needs from outside, as protocols, and the errors that may come back."""
