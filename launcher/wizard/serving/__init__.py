"""The wizard in a browser of this machine."""
