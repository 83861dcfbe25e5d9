"""The product on real servers, step by step, for people to look at; and a check that it does what it says."""
