"""The application: use-cases, one file each, and the ports that adapters implement. It imports no technology."""
