"""What a run leaves behind: one file per run, written atomically."""
