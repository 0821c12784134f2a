"""Searching an index, and selecting evidence inside a document."""
