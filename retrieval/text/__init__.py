"""Text: sentences with spans, words, dates."""
