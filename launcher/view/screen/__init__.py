"""What the screens of a run say, as lines of spans: no terminal, no clock, no files."""
