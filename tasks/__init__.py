"""The maintenance tasks that come with `maintainer`. Each file declares what to look at and decides what is due.

They are registered through the entry-point group `maintainer.tasks`, as those of third parties are.
"""
