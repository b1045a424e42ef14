"""The published contract of the topic: JSON Schemas and an AsyncAPI document, generated from the wire format."""
