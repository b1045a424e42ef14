"""Orders for the contracts of storage, as ``orderflow.testing`` ships them."""

from orderflow.testing.orders import assigned, commit, failed_payments, in_bucket, placed, unit_of_work

__all__ = ["assigned", "commit", "failed_payments", "in_bucket", "placed", "unit_of_work"]
