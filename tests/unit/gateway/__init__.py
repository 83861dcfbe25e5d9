"""The configuration of the gateway, without a gateway."""
