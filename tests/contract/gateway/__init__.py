"""The gateway against attackers, outages and changes: Envoy with what the operator renders."""
