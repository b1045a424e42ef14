"""Recovery of log and topic after a restore: epochs, guard and repair."""
