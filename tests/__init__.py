"""The tests mirror app/; each class and test name reads as one sentence."""
