"""`python -m labkit` is the command `labkit`."""

from labkit.cli.commands import main

if __name__ == "__main__":
    raise SystemExit(main())
