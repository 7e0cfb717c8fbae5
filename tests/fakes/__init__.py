"""Stand-ins for the world, held to the contract that `tests/contract/test_node_port.py` also runs over the real one."""
