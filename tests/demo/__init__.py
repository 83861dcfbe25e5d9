"""The product on real servers, step by step, as a demonstration; and a check that it does what it says."""
