"""What a grant gives: actions, rights in Kibana, and rights on remote clusters."""
