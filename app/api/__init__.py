"""HTTP: one router a resource, shapes, problems and access."""
