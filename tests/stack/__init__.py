"""Real servers for tests, without Docker: etcd, kube-apiserver, kube-controller-manager and Elasticsearch.

Built once into a cache outside the checkout, then started on free loopback ports. See `stack.Stack`.
"""
