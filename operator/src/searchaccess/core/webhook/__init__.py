"""What the validating admission webhook answers, and when its certificate is renewed."""
