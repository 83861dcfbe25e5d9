"""Subjects, and the service accounts behind them."""
