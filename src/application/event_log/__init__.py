"""The event log: its records, its cursors, and the readers that keep them."""
