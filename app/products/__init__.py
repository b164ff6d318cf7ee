"""TERMS: the product catalogue, all YAML, and its pure, strict reader.

Neighbours use `parse_catalogue` (parse.py), `Catalog` (catalog.py), `terms_from_document` (build.py), `remarks`
(analysis.py), `schemas` (schema.py) and `CatalogueError` (faults.py).
"""
