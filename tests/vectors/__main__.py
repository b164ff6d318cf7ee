"""Writes the vector files again: `python -m tests.vectors`."""

from tests.vectors.files import write_all

if __name__ == "__main__":
    write_all()
