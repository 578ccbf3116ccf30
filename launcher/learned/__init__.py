"""What runs on this machine measured, kept to correct the next estimate."""
