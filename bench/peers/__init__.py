"""Programs as people write them, for the comparison: each peer says what it leaves out."""
