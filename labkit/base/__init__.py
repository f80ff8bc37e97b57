"""What every room may use: records, settings, language, files, the hub, statistics, display, machine and memory."""
