"""Shows plans and findings to people, and to the programs that annotate pull requests."""
