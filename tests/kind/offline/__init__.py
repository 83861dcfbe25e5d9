"""kind where no image registry can be reached: a Docker of its own, and images made from packages."""
