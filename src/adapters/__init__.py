"""The technologies: memory, SQL, Kafka and the rest, each translating to and from the ports."""
