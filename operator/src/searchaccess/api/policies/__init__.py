"""Parts of a SearchAccessPolicy."""
