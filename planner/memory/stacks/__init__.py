"""Training libraries that bring model code of their own, and what that changes."""
