"""The screens of a run, live and ended: widgets around the lines of launcher.view."""
