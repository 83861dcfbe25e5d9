"""What commands ask of the operator, and what became of it, from the status of an object."""
