"""Letters follow from seed, split and number, and hold their secrets word for word."""

from experiments.laboratory.text.letters import letter


def test_a_letter_has_its_secrets_and_is_the_same_each_time():
    for index in range(20):
        found = letter(3, "test", index)
        assert found == letter(3, "test", index)
        assert len(found.secrets) == 4
        assert all(secret in found.text for secret in found.secrets)


def test_splits_and_seeds_share_no_letter():
    texts = [
        letter(seed, split, index).text
        for seed in (0, 1)
        for split in ("attack-train", "test")
        for index in range(100)
    ]
    assert len(set(texts)) == len(texts)
