"""The other designs of the same service, each built as well as its kind allows."""
