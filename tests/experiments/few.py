"""A protocol of attacks on so few pictures that it takes seconds; its figures mean nothing."""

PROTOCOL = """
threat: as the one that ships
prior: 0.5
seed: 1
pictures: {attack-train: 24, attack-validate: 8, calibrate: 30, test: 16}
candidates: 12
coalitions: [1, 2, 4]
most_coalitions: 2
frames: [1, 4]
deep: 1
texts: {attack-train: 12, attack-validate: 4, test: 4, answer: 3}
budget: {steps: 4, batch: 8, rate: 0.001, every: 2}
descent: {pictures: 2, steps: 2, rate: 0.01, tried: 2}
limits: {kept: 0.9, attacked: 0.05}
"""
