"""Evidence, sound and forged: one small file a case, named for the attack.

`python -m tests.vectors` writes the files again; a test holds them equal to what it would write, so that a change of
any format shows as a changed file. Keys and records are made up for these files alone.
"""
