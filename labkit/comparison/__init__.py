"""Many runs on the same rows: jobs, baselines, tables, verdicts, and how many rows each strategy wants."""
