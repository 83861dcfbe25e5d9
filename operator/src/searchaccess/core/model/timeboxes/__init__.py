"""When the rights of a SearchAccess are in force."""
