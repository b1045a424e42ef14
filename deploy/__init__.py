"""Files to deploy and monitor an installation. The Python code in this folder generates some of them."""
