"""What is run: cost graphs of models, arrivals of requests, and their inputs."""
