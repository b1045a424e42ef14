"""What people write by themselves, for the comparison: each peer says what it leaves out."""
