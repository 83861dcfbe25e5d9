"""Who used which index, from which revision: audit events, counted and explained by what is declared."""
