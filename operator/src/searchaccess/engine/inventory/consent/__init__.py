"""The SearchAccessApprovals, and whether they count."""
