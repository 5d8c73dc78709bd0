"""What a run leaves behind: one file per run, written atomically, and the campaigns that fill a directory."""
