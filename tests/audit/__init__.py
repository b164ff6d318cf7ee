"""Evidence: what holds verifies, here and with Go's own code; what was changed is told on."""
