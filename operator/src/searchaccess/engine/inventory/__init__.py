"""The declared objects, as last observed."""
