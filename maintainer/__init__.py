"""The agent that looks after PACS nodes at night."""

__version__ = "0.1.0"
