"""The relay's side of the topic: its consumer group, its transactions, and its cursors."""
