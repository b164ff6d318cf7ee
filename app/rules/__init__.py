"""POLICY: pure rules; decide() says their order."""
