"""TERMS: the product catalogue, all YAML, and its pure, strict reader."""
