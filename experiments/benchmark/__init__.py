"""OURS BESIDE THEIRS: the same work as we do it and as people do it today, measured by turns."""
