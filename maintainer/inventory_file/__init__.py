"""The inventory file: read within bounds, checked as a whole, and every mistake told where it stands.

Others call `load.load_inventory`, `load.parse_inventory` and `schema.inventory_schema`.
"""
