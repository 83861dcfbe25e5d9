"""What is declared, as last seen."""
