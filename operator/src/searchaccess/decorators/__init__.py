"""One port around another: measured, paced, or a dry run."""
