"""The engine: the inventory of declared objects, a reconciler for each SearchCluster, and writes to Kubernetes."""
