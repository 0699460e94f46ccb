"""One audit: what was compared, what was found, the files that say so, and the entry in the log."""
