"""What runs and watches an installation. The Python in here writes files that are kept beside it."""
