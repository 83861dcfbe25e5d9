"""Records of ownership: rights that were released, objects that were adopted, and what other controllers have."""
