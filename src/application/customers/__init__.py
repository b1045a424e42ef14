"""Personal data: erasing and exporting what is kept of a customer, and forgetting what is old."""
