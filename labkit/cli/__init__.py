"""The command `labkit`."""
