"""The laboratory: what sharding costs in accuracy and gains in privacy, on models of our own."""
