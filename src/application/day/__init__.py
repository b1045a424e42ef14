"""A day of meal delivery: read or made up, planned minute by minute, lived by orders, and told in figures."""
