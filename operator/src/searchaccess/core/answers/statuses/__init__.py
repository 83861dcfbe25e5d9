"""What ``searchaccess status`` and ``searchaccess version`` say, from what Kubernetes has."""
