"""What would happen: arithmetic and decisions over facts. Pure functions, frozen values."""
