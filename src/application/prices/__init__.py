"""The prices of restaurants, and the rule by which the prices of a new order are checked."""
