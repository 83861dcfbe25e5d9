"""Native users of principals behind a gateway, and who may have set their passwords."""
