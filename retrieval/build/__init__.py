"""Building an index: corpora, shards of them, and the shards joined into one."""
