"""Pages and endpoints in front of the library: reviewing verdicts, trying one claim, serving JSON (extra ``app``)."""
