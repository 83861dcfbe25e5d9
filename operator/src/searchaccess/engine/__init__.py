"""The loop: inventory of what was declared, one reconciler per SearchCluster, timing, and writing back."""
