"""A small real PACS on this machine, to try things on: PostgreSQL, an SSH server and a DICOM archive, on loopback.

Nothing is imported here: its servers start from this package and must start quickly.
"""
