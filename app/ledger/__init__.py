"""What was promised: pure state machines of offers, pools and subsidies; they know the vocabulary and nothing else."""
