"""The wizard and the screens of a run: the only folder that imports textual."""
