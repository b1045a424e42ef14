"""An installation as it is now: its database, its Kafka, its processes, and how far each of its readers has come."""
