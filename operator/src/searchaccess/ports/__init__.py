"""What the engine needs from external systems, as protocols, and their errors."""
