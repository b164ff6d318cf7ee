"""Everything outside: databases, the desk, score platforms, the clock, metrics."""
