"""Making it happen: people, files, processes, training, screens."""
