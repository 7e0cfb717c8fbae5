"""The inventory file: read within bounds, checked as a whole, and every mistake told where it stands."""
