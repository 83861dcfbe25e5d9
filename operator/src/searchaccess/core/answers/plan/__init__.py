"""What a change of manifests opens and closes: decided on languages of patterns, before anything is applied."""
