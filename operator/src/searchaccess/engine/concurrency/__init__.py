"""How work runs beside other work, and where it may be interrupted."""
