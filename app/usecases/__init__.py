"""The verbs, one file each, and the ports they speak to; the only room that knows the whole story."""
