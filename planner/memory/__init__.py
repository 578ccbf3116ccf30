"""How many bytes a training step needs, phase by phase, and how sure that is."""
