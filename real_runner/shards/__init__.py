"""Models cut into shards that compute with real tensors."""
