"""Questions about one model or one run: what it will cost, which rate suits it, what went wrong, what trained, what it forgot, why it answers so."""
